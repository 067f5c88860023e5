"""The labels of a job: how people write them, and how a row and its spec have them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workerd.job_rules import find_faults
from workerd.job_rules.labels import MOST_LABELS, LabelsError, as_table, parse_labels, read_labels, tidied
from workerd.job_rules.written import find_written_faults, read_written
from workerd.setting_values import read_labels as read_node_labels
from workerd.wire.labels import labels_of, labels_text

LETTERS = "use letters, digits, - _ . and, in a name, /, with a letter or a digit at both ends."
REMEDY = "write “name=value”, with a comma between two, such as “team=billing, tier=1”."
TABLE = "write a table of texts, or one text, such as “team=billing, tier=1”."

SOUND = {
    "": {},
    "  ": {},
    "team=billing": {"team": "billing"},
    "team=billing, tier=1": {"team": "billing", "tier": "1"},
    " team = billing ,tier=1\n": {"team": "billing", "tier": "1"},
    "example.org/team=eu-1_a.b, spare=": {"example.org/team": "eu-1_a.b", "spare": ""},
    "team=billing, Team=Mail": {"team": "billing", "Team": "Mail"},
    ", ".join(f"n{number}=v" for number in range(MOST_LABELS)): {f"n{number}": "v" for number in range(MOST_LABELS)},
}


@pytest.mark.parametrize(("text", "labels"), SOUND.items())
def test_a_sound_text_is_read_by_the_rules_as_by_the_daemon(text: str, labels: dict[str, str]) -> None:
    assert (parse_labels(text), labels_of(text)) == (labels, labels)
    assert find_faults({"labels": text}) == []
    assert labels_of(tidied(text)) == labels


def test_a_text_that_workerd_stores_has_one_form() -> None:
    assert [tidied(text) for text in (" team = billing ,tier=1\n", " ", "team", ",")] == [
        "team=billing, tier=1",
        "",
        "team",
        ",",
    ]


FAULTS = {
    ",": f"labels has a comma where a label should be: {REMEDY}",
    "team=billing,": f"labels has a comma where a label should be: {REMEDY}",
    "team": f"labels has 'team' where a label should be: {REMEDY}",
    "!team": f"labels has '!team' where a label should be: {REMEDY}",
    "=billing": f"labels has '=billing' where a label should be: {REMEDY}",
    "team!=billing": f"labels has the name 'team!': {LETTERS}",
    "team==billing": f"labels gives team the value '=billing': {LETTERS}",
    "te am=billing": f"labels has the name 'te am': {LETTERS}",
    "tëam=billing": f"labels has the name 'tëam': {LETTERS}",
    "-team=billing": f"labels has the name '-team': {LETTERS}",
    f"{'t' * 101}=a": f"labels has the name '{'t' * 59}…: {LETTERS}",
    "team=a b": f"labels gives team the value 'a b': {LETTERS}",
    "team=<b>": f"labels gives team the value '<b>': {LETTERS}",
    "team=a\nb": f"labels gives team the value 'a\\nb': {LETTERS}",
    f"team={'a' * 64}": f"labels gives team the value '{'a' * 59}…: {LETTERS}",
    "team=a, team=a": "labels names “team” more than once: remove the others.",
    "team=a, tier=1, team=b": "labels names “team” more than once: remove the others.",
    ", ".join(f"n{number}=v" for number in range(MOST_LABELS + 1)): (
        "labels has 11 labels, more than 10: keep those that alerts go by."
    ),
    "a=b," * 101: "labels has 404 characters, more than 400: shorten it.",
}


@pytest.mark.parametrize(("text", "sentence"), FAULTS.items())
def test_a_text_that_is_none_of_labels_is_refused_with_the_remedy(text: str, sentence: str) -> None:
    assert [fault.sentence for fault in find_faults({"labels": text})] == [sentence]


def test_the_error_tells_what_is_wrong_from_the_remedy() -> None:
    with pytest.raises(LabelsError) as caught:
        parse_labels("team=a, team=b")

    assert (caught.value.what, caught.value.remedy) == ("names “team” more than once", "remove the others")


# in a file and at @job


def written_faults(value: Any) -> list[str]:
    values, faults = read_written({"labels": value})
    return [fault.sentence for fault in [*faults, *find_written_faults("mail", values)]]


def test_a_table_becomes_the_text_of_a_row_and_a_text_its_one_form() -> None:
    assert read_labels({"team": "billing", "tier": "1"}) == "team=billing, tier=1"
    assert read_labels("team=billing,tier=1") == "team=billing, tier=1"
    assert (read_labels({}), read_labels(""), read_labels(None)) == ("", "", None)


WRITTEN: list[tuple[Any, str]] = [
    ({"tier": 1}, "labels gives tier a number: write a text in quotes."),
    ({"on": True}, "labels gives on true or false: write a text in quotes."),
    ({"app": {"team": "a"}}, "labels gives app an object: write a text in quotes."),
    ({"team": None}, "labels gives team null: write a text in quotes."),
    ({1: "a"}, f"labels has the name 1: {LETTERS}"),
    ({"": "a"}, f"labels has the name '': {LETTERS}"),
    ({"team=a, tier": "1"}, f"labels has the name 'team=a, tier': {LETTERS}"),
    ({"team": "a, tier=1"}, f"labels gives team the value 'a, tier=1': {LETTERS}"),
    ({f"n{number}": "" for number in range(11)}, "labels has 11 labels, more than 10: keep those that alerts go by."),
    ({f"n{number}": "v" * 60 for number in range(10)}, "labels has 648 characters, more than 400: shorten it."),
    (["team"], f"labels is a list: {TABLE}"),
    (1, f"labels is a number: {TABLE}"),
    (True, f"labels is true or false: {TABLE}"),
    ("team", f"labels has 'team' where a label should be: {REMEDY}"),
]


@pytest.mark.parametrize(("value", "sentence"), WRITTEN, ids=[sentence for _, sentence in WRITTEN])
def test_what_a_file_or_a_mark_may_not_say_has_one_sentence(value: Any, sentence: str) -> None:
    assert written_faults(value) == [sentence]


names = st.from_regex(r"\A[A-Za-z0-9]([A-Za-z0-9._/-]{0,10}[A-Za-z0-9])?\Z")
values = st.from_regex(r"\A([A-Za-z0-9]([A-Za-z0-9._-]{0,10}[A-Za-z0-9])?)?\Z")


@given(st.dictionaries(names, values, max_size=MOST_LABELS))
def test_whatever_a_node_may_have_for_labels_a_job_may_have_too(labels: dict[str, str]) -> None:
    text = read_labels(labels)

    assert read_node_labels(labels) == labels
    assert text is not None
    assert (parse_labels(text), labels_of(text), as_table(text), tidied(text)) == (labels, labels, labels, text)
    assert find_faults({"labels": text}) == []


@given(st.text() | st.dictionaries(st.text(), st.text() | st.integers()))
def test_whatever_is_written_is_refused_or_read_as_the_same_labels(written: Any) -> None:
    if written_faults(written):
        return
    labels = labels_of(read_labels(written) or "")

    assert labels == (written if isinstance(written, dict) else parse_labels(written))
    assert labels_of(labels_text(labels)) == labels

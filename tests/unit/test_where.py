"""The labels that a job needs of a node."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workerd.job_rules import find_faults
from workerd.job_rules.where import Term, Where, WhereError, parse_where

NODE = {"zone": "a", "disk": "ssd", "topology.kubernetes.io/region": "eu-1", "spare": ""}

FITS = [
    "",
    "  ",
    "zone=a",
    "zone==a",
    " zone = a ,disk!=hdd",
    "topology.kubernetes.io/region=eu-1",
    "gpu!=a100",
    "zone",
    "!gpu",
    "! gpu",
    "spare=",
    "spare",
    "zone!=",
    "gpu!=",
    "zone=a, zone=a",
]
FITS_NOT = {
    "zone=b": "has zone=a, and where asks for zone=b",
    "zone=A": "has zone=a, and where asks for zone=A",
    "zone=a, disk != ssd": "has disk=ssd, and where asks for disk!=ssd",
    "gpu=a100": "has no label “gpu”, and where asks for gpu=a100",
    "gpu=": "has no label “gpu”, and where asks for gpu=",
    "gpu": "has no label “gpu”, and where asks for gpu",
    "!zone": "has zone=a, and where asks for !zone",
    "spare!=": "has spare=, and where asks for spare!=",
}


@pytest.mark.parametrize("text", FITS)
def test_a_node_fits_where_each_label_does(text: str) -> None:
    where = parse_where(text)

    assert (where.fits(NODE), where.misfit(NODE)) == (True, "")


@pytest.mark.parametrize(("text", "reason"), FITS_NOT.items())
def test_a_node_that_does_not_fit_is_told_by_which_label(text: str, reason: str) -> None:
    where = parse_where(text)

    assert (where.fits(NODE), where.misfit(NODE)) == (False, reason)


REMEDY = (
    "write “name=value” or “name!=value”, “name” for any value or “!name” for none, with a comma for and, "
    "such as “zone=a, disk!=hdd”."
)
LETTERS = "use letters, digits, - _ . and, in a name, /, with a letter or a digit at both ends."
FAULTS = {
    ",": f"where has a comma where a label should be: {REMEDY}",
    "zone=a,": f"where has a comma where a label should be: {REMEDY}",
    "=a": f"where has '=a' where a label should be: {REMEDY}",
    "zone=a=b": f"where has 'zone=a=b' where a label should be: {REMEDY}",
    "zone=a b": f"where has 'zone=a b' where a label should be: {REMEDY}",
    "zone=a and disk=ssd": f"where has 'zone=a and disk=ssd' where a label should be: {REMEDY}",
    "!zone=a": f"where has '!zone=a' where a label should be: {REMEDY}",
    "zone=!a": f"where has 'zone=!a' where a label should be: {REMEDY}",
    "zone in (a, b)": f"where has 'zone in (a' where a label should be: {REMEDY}",
    "zone~a": f"where names the label 'zone~a': {LETTERS}",
    "zöne=a": f"where names the label 'zöne': {LETTERS}",
    "-zone=a": f"where names the label '-zone': {LETTERS}",
    f"{'z' * 101}=a": f"where names the label '{'z' * 59}…: {LETTERS}",
    "zone='a'": f"where gives zone the value \"'a'\": {LETTERS}",
    "zone=a/b": f"where gives zone the value 'a/b': {LETTERS}",
    f"zone={'a' * 64}": f"where gives zone the value '{'a' * 59}…: {LETTERS}",
    "zone=a, zone=b": "where asks for zone=a and for zone=b, which no node has both: leave one, as a comma means and.",
}


@pytest.mark.parametrize(("text", "sentence"), FAULTS.items())
def test_what_cannot_be_read_is_refused_with_the_remedy(text: str, sentence: str) -> None:
    assert [fault.sentence for fault in find_faults({"where": text})] == [sentence]


def test_the_error_tells_what_is_wrong_from_the_remedy() -> None:
    with pytest.raises(WhereError) as caught:
        parse_where("zone=a, zone=b")

    assert caught.value.what == "asks for zone=a and for zone=b, which no node has both"
    assert caught.value.remedy == "leave one, as a comma means and"


NAMES = st.sampled_from(["zone", "disk", "a/b", "x.y-z_1"])
VALUES = st.sampled_from(["", "a", "b", "1.2-3"])
TERMS = st.builds(Term, NAMES, st.none() | VALUES, st.booleans())


@given(st.lists(TERMS, max_size=4).map(lambda terms: Where(tuple(terms))), st.dictionaries(NAMES, VALUES))
def test_what_is_written_back_is_read_as_the_same(where: Where, labels: Mapping[str, str]) -> None:
    try:
        read = parse_where(str(where))
    except WhereError:
        assert not where.fits(labels)
    else:
        assert read == where


@given(NAMES, VALUES, st.dictionaries(NAMES, VALUES))
def test_a_label_and_its_opposite_fit_no_node_together(name: str, value: str, labels: Mapping[str, str]) -> None:
    assert parse_where(f"{name}={value}").fits(labels) != parse_where(f"{name}!={value}").fits(labels)
    assert parse_where(name).fits(labels) != parse_where(f"!{name}").fits(labels)


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused_with_one_sentence(text: str) -> None:
    found = [fault.sentence for fault in find_faults({"where": text})]

    assert not found or found[0].startswith("where ")

"""Definitions written as TOML are read as the same, whatever a row holds."""

import tomllib
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workerd.definitions.definition import Definition
from workerd.definitions.toml_text import to_toml
from workerd.job_rules.labels import tidied
from workerd.job_rules.written import DEFAULTS, LIMITS, OBJECTS, filled, read_written
from workerd.wire.spec import LATER_FIELDS

texts = st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(
    [
        '"',
        "'",
        '"""',
        "'''",
        "\\",
        "a\\",
        'x"',
        "\n",
        "\r\n",
        "\n\n",
        "\t",
        "\x00",
        "\x1b[31m",
        "\u202e",
        "\ufeff",
        "none",
    ]
)
plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts
objects = st.dictionaries(
    texts,
    st.recursive(
        plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=8
    ),
    max_size=4,
)
numbers = st.integers(-(10**30), 10**30) | st.floats(allow_nan=False, allow_infinity=False)


def values_of_a_field(field: str) -> st.SearchStrategy[Any]:
    default = DEFAULTS[field]
    if field in OBJECTS:
        found: st.SearchStrategy[Any] = objects
    elif field == "starts_after":
        found = st.lists(texts, max_size=3)
    elif field == "labels":
        found = texts.map(tidied) | st.sampled_from(["team=billing, tier=1", "example.org/team=", "team, tier=1"])
    elif isinstance(default, bool):
        found = st.booleans()
    elif isinstance(default, str):
        found = texts
    elif field in ("processes", "nice", "max_restarts"):
        found = st.integers(-(10**20), 10**20)
    else:
        found = numbers.map(float)
    return found | st.none() if field in (*LIMITS, *LATER_FIELDS) else found


rows = st.fixed_dictionaries({}, optional={field: values_of_a_field(field) for field in DEFAULTS})


def read(text: str) -> dict[str, dict[str, Any]]:
    """Return the fields of each job of a text, with their defaults."""
    found = {}
    for name, written in tomllib.loads(text).get("jobs", {}).items():
        values, faults = read_written(written)
        assert faults == []
        found[name] = filled(values)
    return found


def as_meant(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values with their defaults, also where a release before a column left it null."""
    return filled({field: value for field, value in values.items() if value is not None or field in LIMITS})


@given(st.dictionaries(texts, rows, max_size=3))
def test_what_is_written_is_read_as_the_same(jobs: dict[str, dict[str, Any]]) -> None:
    text = to_toml(Definition(name, values, "") for name, values in jobs.items())

    assert read(text) == {name: as_meant(values) for name, values in jobs.items()}


@given(rows)
def test_a_text_that_is_written_twice_is_the_same_text(values: dict[str, Any]) -> None:
    """Or a review would show lines that nobody has changed."""
    text = to_toml([Definition("mail", values, "")])

    assert to_toml([Definition("mail", read(text)["mail"], "")]) == text


@given(rows, texts)
def test_nothing_that_is_written_steers_a_terminal(values: dict[str, Any], name: str) -> None:
    text = to_toml([Definition(name, values, "")], {name: ["left out: \x1b[2J"]})

    assert [line for line in text.split("\n") if not line.isprintable() and "\x1b" in line] == []


@given(rows, st.lists(texts, max_size=3))
def test_comments_stand_above_the_table_and_change_nothing(values: dict[str, Any], comments: list[str]) -> None:
    definition = Definition("mail", values, "")

    text = to_toml([definition], {"mail": comments})

    head, _, _ = text.partition("[jobs.mail]")
    assert all(line.startswith("#") for line in head.splitlines())
    assert text.removeprefix(head) == to_toml([definition])


def test_only_what_differs_from_the_defaults_is_written() -> None:
    assert to_toml([Definition("mail", {**DEFAULTS, "command": "check"}, "")]) == '[jobs.mail]\ncommand = "check"\n'


def test_a_table_reads_as_a_person_would_write_it() -> None:
    values = {
        "notes": 'Ask the desk.\nIt is "theirs".',
        "command": 'mail --to "the desk"',
        "kwargs": {"token": {"$env": "TOKEN"}, "weights": [1, 0.5], "two words": True},
        "environment": {"EMPTY": None},
        "max_memory": 512.0,
        "max_age": None,
        "restart": "on_failure",
        "schedule": "30 2 * * *",
        "stop_timeout": 2.5,
        "starts_after": ["redis"],
        "labels": "team=billing, example.org/tier=1",
    }

    assert to_toml(
        [Definition("mail", values, ""), Definition("a b", {"enabled": False}, "")], {"mail": ["one\nand a half", ""]}
    ) == (
        "# one\n"
        "# and a half\n"
        "#\n"
        "[jobs.mail]\n"
        "command = 'mail --to \"the desk\"'\n"
        'kwargs = { token = { "$env" = "TOKEN" }, weights = [1, 0.5], "two words" = true }\n'
        "stop_timeout = 2.5\n"
        "max_memory = 512\n"
        'schedule = "30 2 * * *"\n'
        "environment = '{\"EMPTY\": null}'\n"
        'starts_after = ["redis"]\n'
        'labels = { team = "billing", "example.org/tier" = "1" }\n'
        'notes = """\n'
        "Ask the desk.\n"
        'It is \\"theirs\\"."""\n'
        "\n"
        '[jobs."a b"]\n'
        "enabled = false\n"
    )


@pytest.mark.parametrize("schedule", ["", "@daily"])
def test_the_default_of_restart_goes_with_the_schedule(schedule: str) -> None:
    default = "on_failure" if schedule else "always"

    for restart in ("always", "on_failure", "never"):
        text = to_toml([Definition("mail", {"schedule": schedule, "restart": restart}, "")])
        assert ("restart" in text) is (restart != default)

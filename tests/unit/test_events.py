"""Event names are API: the table and the code hold each other, name by name and field by field."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import workerd
from workerd.wire.events import EVENTS

PACKAGE = Path(workerd.__file__).parent
COMES_WITH: dict[str, str] = {}
"""In the table, but not emitted yet: name and what it comes with. May only shrink."""
IDENTITY = {"pid", "job", "slot", "run", "generation"}
BEYOND = {"level", "exc_info"}
"""Keywords of emit and of structlog that are no fields; exc_info becomes ``exception``."""


@dataclass(frozen=True)
class Emission:
    """One ``emit("name", …)`` in the code."""

    place: str
    name: str
    fields: frozenset[str]


def emissions() -> Iterator[Emission]:
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and _is_emit(node.func):
                yield from _read(node, f"{path.relative_to(PACKAGE.parent)}:{node.lineno}")


def _is_emit(function: ast.expr) -> bool:
    return (isinstance(function, ast.Name) and function.id == "emit") or (
        isinstance(function, ast.Attribute) and function.attr == "emit"
    )


def _read(call: ast.Call, place: str) -> Iterator[Emission]:
    names = [node.value for node in call.args if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    fields = frozenset(keyword.arg for keyword in call.keywords if keyword.arg is not None) - BEYOND
    for name in names:
        yield Emission(place, name, fields)


FOUND = list(emissions())


def test_the_scan_sees_the_code() -> None:
    assert len(FOUND) > 30


@pytest.mark.parametrize("emission", FOUND, ids=lambda emission: f"{emission.place} {emission.name}")
def test_what_is_emitted_is_in_the_table_with_its_fields(emission: Emission) -> None:
    assert emission.name in EVENTS
    assert emission.fields - IDENTITY <= set(EVENTS[emission.name].fields) - IDENTITY


def test_what_is_in_the_table_is_emitted() -> None:
    assert set(EVENTS) - {emission.name for emission in FOUND} == set(COMES_WITH)


@pytest.mark.parametrize("name", EVENTS)
def test_a_row_of_the_table_is_in_order(name: str) -> None:
    event = EVENTS[name]
    subject, _, participle = name.partition(".")

    assert subject.isidentifier()
    assert participle.isidentifier()
    assert event.level in {"debug", "info", "warning", "error"}
    assert len(set(event.fields)) == len(event.fields)
    assert event.says

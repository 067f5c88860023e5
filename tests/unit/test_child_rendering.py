"""Events as lines: the design's fields first, whatever the job put into them, and never too long."""

import json
from typing import Any

import pytest
from hypothesis import given, settings, strategies

from tests.harness.properties import examples
from workerd.child.rendering import LineRenderer

MAX_BYTES = 64 * 1024 - 128
IDENTITY = {"job": "a-job", "slot": "a-job:1", "run": "run-1", "generation": 2}


def render(**event: Any) -> dict[str, Any]:
    line = LineRenderer(IDENTITY, MAX_BYTES).render(event)
    assert len(line) <= MAX_BYTES
    assert b"\n" not in line
    rendered: dict[str, Any] = json.loads(line)
    return rendered


def test_the_designs_fields_come_first() -> None:
    rendered = render(order=7, event="shipped", level="info", timestamp="now")

    assert list(rendered) == ["timestamp", "level", "event", "pid", "job", "slot", "run", "generation", "order"]


def test_an_event_cannot_pass_for_another_jobs() -> None:
    rendered = render(event="x", job="another", pid=1)

    assert rendered["job"] == "a-job"
    assert (rendered["job_"], rendered["pid_"]) == ("another", 1)


class Broken:
    def __repr__(self) -> str:
        raise ValueError


def circle() -> list[Any]:
    items: list[Any] = []
    items.append(items)
    return items


@pytest.mark.parametrize(
    ("value", "rendered"),
    [
        (Broken(), "<Broken: ValueError in its repr>"),
        (circle(), "[[...]]"),
        ({(1, 2): 3}, "{(1, 2): 3}"),
        ("\ud800\0\n", "?\0\n"),
        (b"bytes", "b'bytes'"),
    ],
    ids=["repr", "circle", "key", "text", "bytes"],
)
def test_what_json_has_no_word_for_is_described(value: Any, rendered: Any) -> None:
    assert render(event="x", value=value)["value"] == rendered


def test_a_line_that_is_too_long_keeps_a_share_of_each_field() -> None:
    rendered = render(event="x", text="é" * 100_000, data={"a": ["\0" * 50_000]}, short=1)

    assert rendered["text"].startswith("é" * 1000)
    assert rendered["text"].endswith("é" * 1000)
    assert "characters cut] …" in rendered["text"]
    assert "characters cut] …" in rendered["data"]
    assert rendered["short"] == 1
    assert rendered["cut_from_bytes"] > 400_000


def test_of_too_many_fields_ours_are_kept() -> None:
    rendered = render(event="x", **{f"field_{number}": "x" * 100 for number in range(2000)})

    assert list(rendered) == ["event", "pid", "job", "slot", "run", "generation", "cut_from_bytes"]


texts = strategies.text(alphabet=strategies.characters(), max_size=50)
values = strategies.recursive(
    strategies.none()
    | strategies.booleans()
    | strategies.floats()
    | strategies.integers()
    | texts
    | strategies.binary(),
    lambda inner: strategies.lists(inner, max_size=3) | strategies.dictionaries(texts | strategies.integers(), inner),
    max_leaves=10,
)


@given(strategies.dictionaries(texts, values, max_size=5), strategies.integers(1, 20_000))
@settings(max_examples=examples(60))
def test_every_event_is_one_line_of_json(event: dict[str, Any], times: int) -> None:
    long = {name: value * times if isinstance(value, str) else value for name, value in event.items()}

    line = LineRenderer(IDENTITY, MAX_BYTES).render(long)

    assert len(line) <= MAX_BYTES
    assert b"\n" not in line
    assert json.loads(line)["job"] == "a-job"

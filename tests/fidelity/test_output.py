"""What the corpus rests on: output is read as it was said, and each kind of difference is found."""

from typing import Any

import pytest

from .observation import Line, Observation, steady
from .output import compare, read_events, read_plain

SAID = "INFO shop: 3 orders\nprinted"


def log(text: str, level: str = "info", logger: str = "shop", **fields: Any) -> dict[str, Any]:
    return {"event": text, "level": level, "logger": logger, **fields}


def printed(line: str, **fields: Any) -> dict[str, Any]:
    return {"event": "child.output", "line": line, **fields}


def differences(plain: str, *events: dict[str, Any]) -> list[str]:
    return compare(read_plain(plain, "stderr", ()), read_events(events, ()), ())


def test_the_same_words_with_the_same_levels_are_the_same() -> None:
    assert differences(SAID, log("4 orders"), printed("printed")) == []


@pytest.mark.parametrize(
    ("events", "found"),
    [
        ([log("4 orders")], ["missing: printed"]),
        ([log("4 orders", "error"), printed("printed")], ["missing: info shop # orders", "more: error shop # orders"]),
        ([log("4 orders"), printed("printed"), printed("printed")], ["more: printed"]),
        ([log("4 orders"), printed("printed", stream="stdout")], ["stream: stdout instead of stderr: printed"]),
    ],
)
def test_what_is_missing_more_or_said_otherwise_is_a_difference(events: list[dict[str, Any]], found: list[str]) -> None:
    assert differences(SAID, *events) == found


def test_a_record_that_a_package_writes_beside_the_project_may_be_said_once() -> None:
    assert differences("[12:00] INFO huey: ready\nINFO huey: ready", log("ready", logger="huey")) == []


def test_the_end_of_a_traceback_counts_and_its_frames_do_not() -> None:
    plain = 'Traceback (most recent call last):\n  File "x", line 1, in f\n    f()\nValueError: no'
    failed = {"event": "job.failed", "level": "error", "exception": plain.replace("line 1", "line 2")}

    assert differences(plain, failed) == []
    assert differences(plain) == ["missing: ValueError: no"]


def test_times_identities_and_numbers_are_taken_out() -> None:
    assert steady("2026-01-02 03:04:05,678 pid 12 at 0x7f00 task 0f8fad5b-d9cb-469f-a165-70867728950e") == (
        "~ pid # at ~ task ~"
    )


@pytest.mark.parametrize(
    ("deeds", "word"),
    [
        (["began long", "done long"], "finished"),
        (["began long", "cut long by KeyboardInterrupt"], "cut by KeyboardInterrupt"),
        (["began long"], "lost"),
        (["began short", "done short"], "not begun"),
    ],
)
def test_what_became_of_work_is_said_in_a_word(deeds: list[str], word: str) -> None:
    seen = Observation("0", tuple(deeds), (), (Line("x"),), 0.1)

    assert seen.became_of("long") == word

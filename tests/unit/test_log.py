"""How a line of the daemon's log looks: whoever reads it may rely on these keys and on one object a line."""

import json
import os
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.harness.fakes import FakeClock, Lines, recording_log
from workerd.daemon.io.log import EventLog
from workerd.wire.events import EVENTS, FIRST_KEYS

IDENTITY: dict[str, Any] = {"generation": 3, "run": "r-1", "slot": "feed:1", "job": "feed", "pid": 42}


def test_keys_come_in_one_order_whatever_the_call() -> None:
    log, lines = recording_log()
    log.emit("child.ready", ms=1.5, **IDENTITY)

    assert list(lines.events[0]) == [*FIRST_KEYS, "ms"]


def test_every_event_has_time_level_name_and_pid() -> None:
    log, lines = recording_log()
    for name in EVENTS:
        log.emit(name)

    assert [list(event) for event in lines.events] == [["timestamp", "level", "event", "pid"]] * len(EVENTS)
    assert {event["pid"] for event in lines.events} == {os.getpid()}


def test_the_level_is_the_tables_unless_it_is_given() -> None:
    log, lines = recording_log()
    log.emit("child.exited")
    log.emit("child.exited", level="error")

    assert [event["level"] for event in lines.events] == ["info", "error"]


def test_the_time_is_utc_and_says_so() -> None:
    log, lines = recording_log()
    log.emit("daemon.ready")
    moment = datetime.fromisoformat(lines.events[0]["timestamp"])

    assert moment.tzinfo == UTC
    assert abs((datetime.now(UTC) - moment).total_seconds()) < 60
    assert lines.events[0]["timestamp"].endswith("Z")


def test_what_does_not_apply_is_left_out() -> None:
    log, lines = recording_log()
    log.emit("child.exited", exit_code=None, signal="SIGKILL", pid=7)

    assert lines.of("child.exited") == [{"signal": "SIGKILL"}]


@pytest.mark.parametrize("text", ["two\nlines", "nul \x00", "lone \ud800", 'quote " and \\', "\u2028"])
def test_any_text_is_one_line_of_json(text: str) -> None:
    log, lines = recording_log()
    log.emit("child.output", line=text)
    (line,) = lines.raw

    assert line.count(b"\n") == 1
    assert json.loads(line)["line"] == text.encode("utf-8", "replace").decode()


def test_a_value_that_json_does_not_know_is_shown() -> None:
    log, lines = recording_log()
    log.emit("fork.refused", reasons={1, 2})

    assert lines.of("fork.refused") == [{"reasons": "{1, 2}"}]


@pytest.mark.parametrize("letter", ["x", "é", "\0", "\n"])
def test_no_line_is_longer_than_journald_keeps_whole(letter: str) -> None:
    """The stacks of 200 threads are 250 KB; of what is cut, both ends stay, and the short fields."""
    log, lines = recording_log()
    log.emit("child.stack", **IDENTITY, stack="first" + letter * 250_000 + "last", reason="r" * 100)
    (line,) = lines.raw
    (event,) = lines.of("child.stack")

    assert 40 * 1024 < len(line) <= 48 * 1024
    assert event["stack"].startswith("first")
    assert event["stack"].endswith("last")
    assert event["reason"] == "r" * 100
    assert event["run"] == IDENTITY["run"]
    assert event["cut_from_bytes"] > 250_000


def test_an_unknown_event_is_a_fault() -> None:
    with pytest.raises(KeyError):
        recording_log()[0].emit("child.vanished")


def test_what_a_child_has_rendered_is_passed_on_byte_by_byte() -> None:
    log, lines = recording_log()
    log.relay(b'{"event":  "odd spacing"}')

    assert lines.raw == [b'{"event":  "odd spacing"}\n']


def test_on_a_terminal_a_person_reads_time_name_and_fields() -> None:
    lines = Lines()
    EventLog(lines, console=True).emit("child.exited", outcome="crashed", **IDENTITY)
    text = lines.raw[0].decode()

    assert "child.exited" in text
    assert "crashed" in text
    assert "feed:1" in text
    assert "r-1" not in text


def test_on_a_terminal_what_is_no_json_is_shown_as_it_is() -> None:
    lines = Lines()
    EventLog(lines, console=True).relay(b"cut off {")

    assert lines.raw == [b"cut off {\n"]


def test_what_a_job_may_cause_without_end_is_logged_a_few_times_a_minute_and_counted() -> None:
    lines, clock = Lines(), FakeClock()
    log = EventLog(lines, console=False, monotonic=clock.monotonic)
    for _ in range(20_000):
        log.emit("protocol.violated", **IDENTITY, reason="no message")
    at_once = len(lines.raw)
    log.emit("protocol.violated", **IDENTITY | {"slot": "feed:2", "pid": 43}, reason="no message")
    clock.advance(60)
    log.emit("protocol.violated", **IDENTITY, reason="no message")

    assert at_once == 10
    assert [event.get("kept_back") for event in lines.events[10:]] == [None, 19_990]


def test_one_fault_does_not_hide_another() -> None:
    log, lines = recording_log()
    for number in range(2000):
        log.emit("daemon.degraded", reason="a")
        log.emit("daemon.degraded", reason=f"b{number}")

    assert len(lines.of("daemon.degraded")) >= 2010

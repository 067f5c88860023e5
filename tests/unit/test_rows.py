"""The rows of runs: whole, and small enough for one message, whatever a job prints."""

import os
from collections.abc import Iterator

import pytest

from tests.harness.fakes import loop_of, recording_log
from workerd.daemon.processes.child import Child
from workerd.daemon.rules.outcome import ExitStatus
from workerd.daemon.slots.rows import run_row
from workerd.daemon.slots.slot import LiveSlot
from workerd.wire.messages import Failed, Record
from workerd.wire.packets import encode
from workerd.wire.spec import JobSpec
from workerd.wire.words import Outcome


@pytest.fixture
def child() -> Iterator[Child]:
    child = Child.conceive(loop_of(), recording_log()[0], 3, lambda *_: None, lambda *_: None)
    yield child
    child.bury()
    for descriptor in child.theirs:
        os.close(descriptor)


def row_of(child: Child, outcome: Outcome = Outcome.ERROR) -> dict[str, object]:
    slot = LiveSlot(JobSpec("feed", id=7, processes=2), 1, child=child, end_reason="exit code 1")
    return run_row(child, slot, ExitStatus(code=1), outcome, 1_700_000_000.0)


def test_a_run_is_told_whole(child: Child) -> None:
    child.pid, child.born_wall = 42, 1_699_999_999.0
    child.failed = Failed("ValueError", "no such order", "Traceback …")
    child.output.last_lines.append(b"one")
    child.output.last_lines.append(b"two")
    child.page.write_note("order 7")

    assert row_of(child) == {
        "job_id": 7,
        "job_name": "feed",
        "slot": "feed:1",
        "index": 1,
        "generation": 3,
        "pid": 42,
        "born": 1_699_999_999.0,
        "ready": None,
        "ended": 1_700_000_000.0,
        "outcome": "error",
        "reason": "exit code 1",
        "exit_code": 1,
        "signal": "",
        "exception": "ValueError: no such order",
        "traceback": "Traceback …",
        "stack": "",
        "note": "order 7",
        "peak_memory": None,
        "longest_silence": None,
        "last_lines": "one\ntwo",
        "connections_opened": 0,
        "connections_closed": 0,
        "due": None,
        "trigger": "",
        "samples": None,
    }


@pytest.mark.parametrize("character", ["x", "\x01", '"', "\U0001f40d", "\ud800", "\n"])
def test_the_largest_run_fits_one_message(child: Child, character: str) -> None:
    """Else it would be dropped, and the run would seem to go on for ever."""
    child.failed = Failed("E" * 500, character * 100_000, character * 100_000)
    child.stack = character * 100_000
    for _ in range(50):
        child.output.last_lines.append(character.encode("utf-8", "replace") * 60_000)
    child.page.write_note(character * 1_000)

    encode(Record(1, "run", child.run, 1, row_of(child)))


def test_of_an_exception_the_beginning_is_kept_and_of_a_traceback_the_end(child: Child) -> None:
    child.failed = Failed("ValueError", "first " + "x" * 100_000, "x" * 100_000 + " last")
    row = row_of(child)

    assert str(row["exception"]).startswith("ValueError: first x")
    assert str(row["traceback"]).endswith("x last")


@pytest.mark.parametrize("outcome", [Outcome.STOPPED, Outcome.FINISHED, Outcome.RECYCLED])
def test_the_last_lines_are_kept_only_of_what_ended_badly(child: Child, outcome: Outcome) -> None:
    child.output.last_lines.append(b"fine")

    assert row_of(child, outcome)["last_lines"] == ""

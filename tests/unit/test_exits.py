"""The end of a child: its last words are read, its outcome is recorded, and what comes next is decided."""

import signal
from typing import Any

import pytest

from tests.harness.node import Node
from workerd.daemon.rules.outcome import ExitStatus
from workerd.wire.messages import DatabaseConnected, DatabaseLost, Failed, RecycleAsked, Refused
from workerd.wire.words import Outcome, State


@pytest.fixture(autouse=True)
def started(node: Node) -> None:
    node.start()


def last_run(node: Node) -> dict[str, Any]:
    """Return the newest row of a run that the ledger was sent."""
    row = node.records("run")[-1].row
    assert row is not None
    return row


def exited(node: Node, job: str = "feed") -> dict[str, Any]:
    """Return the newest event of the end of a job's child."""
    return [event for event in node.lines.events if event["event"] == "child.exited" and event["job"] == job][-1]


@pytest.mark.parametrize(
    ("how", "outcome", "reason"),
    [
        ({"code": 0}, "finished", "exit code 0"),
        ({"code": 3}, "error", "exit code 3"),
        ({"signal": signal.SIGSEGV}, "crashed", "killed by SIGSEGV"),
    ],
)
def test_an_end_is_logged_and_recorded(node: Node, how: dict[str, int], outcome: str, reason: str) -> None:
    slot = node.add_job()
    node.settle()
    node.clock.advance(12.5)
    node.end_child(slot, **how)
    event, row = exited(node), last_run(node)

    assert (event["outcome"], event["reason"], event["seconds"]) == (outcome, reason, 12.5)
    assert (row["outcome"], row["reason"], row["ended"]) == (outcome, reason, node.clock.wall())
    assert (row["exit_code"], row["signal"]) == (how.get("code"), event.get("signal", ""))


@pytest.mark.parametrize(("code", "level"), [(0, "info"), (1, "error")])
def test_a_bad_end_is_an_error_in_the_log(node: Node, code: int, level: str) -> None:
    slot = node.add_job()
    node.settle()
    node.end_child(slot, code=code)

    assert exited(node)["level"] == level


def test_an_end_that_was_asked_for_is_no_failure(node: Node) -> None:
    slot = node.add_job()
    node.settle()
    node.parts.lifecycle.want(slot, False)
    node.end_child(slot, signal=signal.SIGTERM)

    assert (slot.state, slot.outcome, slot.history.failures) == (State.STOPPED, Outcome.STOPPED, 0)
    assert exited(node)["level"] == "info"


def test_what_a_child_said_last_is_read_before_its_end_is_judged(node: Node) -> None:
    slot = node.add_job()
    node.settle()
    child = node.child_in(slot)
    child.write("no paper left")
    child.page.write_note("printing 7")
    child.say(Failed("PrinterError", "no paper", "Traceback: …"))
    node.end_child(slot, code=1)
    row = last_run(node)

    assert (row["exception"], row["traceback"]) == ("PrinterError: no paper", "Traceback: …")
    assert (row["reason"], row["note"], row["last_lines"]) == ("PrinterError: no paper", "printing 7", "no paper left")


def test_a_good_run_keeps_no_lines(node: Node) -> None:
    slot = node.add_job()
    node.settle()
    node.child_in(slot).write("all printed")
    node.end_child(slot, code=0)

    assert last_run(node)["last_lines"] == ""


@pytest.mark.parametrize("runs_again", [False, True])
def test_a_run_that_finished_and_left_a_process_says_so_once(node: Node, runs_again: bool) -> None:
    """A job that daemonises looks like that; where it is started again at once, its slot has a run to speak of."""
    slot = node.add_job(restart="always" if runs_again else "never")
    node.settle()
    node.end_child(slot, code=0)
    run, blame = slot.last_run, node.parts.slot_set.blame
    before = last_run(node)
    if runs_again:
        node.clock.advance(60)
        node.settle()
    for name in ("keeper", "worker"):
        blame(run, name)
    node.turn()
    [_, *told] = [record.row for record in node.records("run") if record.key == run and (record.row or {})["ended"]]

    left = "; a process that it left in the background was ended (“keeper”): have the job stay in the foreground"
    assert told == [{**before, "reason": f"exit code 0{left}"}]
    assert (slot.is_running, left in slot.reason) == (runs_again, not runs_again)


def test_a_refusal_parks_the_slot_and_stands_on_the_row(node: Node) -> None:
    slot = node.add_job()
    node.bear()
    node.child_in(slot).say(Refused("no such printer: LPT1", "no such printer"))
    node.end_child(slot, code=78)
    [problem] = node.records("problem")

    assert slot.state is State.PARKED
    assert (problem.key, problem.row) == (
        "feed",
        {"problem": "no such printer: LPT1", "public_problem": "no such printer"},
    )
    assert node.lines.of("job.refused")[0]["reason"] == "no such printer: LPT1"


def test_a_refusal_is_taken_back_when_a_child_loads(node: Node) -> None:
    slot = node.add_job()
    node.bear()
    node.child_in(slot).say(Refused("no such printer"))
    node.end_child(slot, code=78)
    node.add_job(kwargs={"printer": "laser"})
    node.settle()

    assert slot.state is State.RUNNING
    assert [record.row for record in node.records("problem")][-1] == {"problem": ""}


def test_a_restart_is_counted_and_a_stop_is_not(node: Node) -> None:
    slot = node.add_job()
    node.settle()
    node.end_child(slot, code=1)
    node.settle()
    node.pass_time(1)
    node.child_in(slot).say(RecycleAsked())
    node.turn()
    node.end_child(slot, code=0)
    node.settle()
    counted = slot.restarts
    node.parts.lifecycle.want(slot, False)
    node.end_child(slot, signal=signal.SIGTERM)

    assert (counted, slot.restarts) == (2, 2)


def test_a_child_that_was_replaced_gracefully_was_recycled(node: Node) -> None:
    slot = node.add_job()
    node.settle()
    node.child_in(slot).say(RecycleAsked())
    node.turn()
    node.end_child(slot, signal=signal.SIGTERM)

    assert (slot.outcome, slot.end_reason, slot.history.failures) == (
        Outcome.RECYCLED,
        "the job asked to be replaced",
        0,
    )


def test_a_spare_that_ends_is_no_run(node: Node) -> None:
    node.parts.births.replenish()
    spares = node.bear()
    runs = len(node.records("run"))
    spares[0].close()
    del node.children[spares[0].pid]
    node.parts.exits.conclude(node.parts.births.forget(spares[0].pid), ExitStatus(code=0))

    assert node.lines.of("child.exited") == []
    assert len(node.records("run")) == runs


def test_the_ledgers_own_runs_leave_no_record(node: Node) -> None:
    node.end_child(node.parts.ledger.slot, code=1)
    node.settle()

    assert exited(node, "workerd.ledger")["reason"] == "exit code 1"
    assert node.records("run") == []


# a database that is out


def miss_the_database(node: Node, alias: str = "default") -> None:
    slot = node.slot("feed")
    node.child_in(slot).say(Failed("OperationalError", "connection refused", "", alias))
    node.end_child(slot, code=1)


def test_a_child_that_misses_a_database_that_is_out_waits_uncounted(node: Node) -> None:
    node.tell(DatabaseConnected("postgresql", "15"), DatabaseLost("connection refused"))
    slot = node.add_job(max_restarts=0)
    node.settle()
    miss_the_database(node)

    assert (slot.state, slot.reason, slot.history.failures) == (State.WAITING, "the database is unreachable", 0)


def test_a_child_is_believed_for_as_long_as_its_database_is_out(node: Node) -> None:
    """A server without a free session may keep the ledger's all the while."""
    node.tell(DatabaseConnected("postgresql", "15"))
    slot = node.add_job(backoff_initial=0.1, backoff_max=0.1, max_restarts=0)
    node.settle()
    for _ in range(20):
        miss_the_database(node)
        assert slot.state is State.WAITING
        node.pass_time(6)
        node.ledger.page.beat()
        node.settle()

    assert slot.history.failures == 0


def test_the_outage_of_another_database_is_one_too_and_named(node: Node) -> None:
    slot = node.add_job(max_restarts=0)
    node.settle()
    node.child_in(slot).say(Failed("OperationalError", "", "", "second", 'the database "second" is read-only'))
    node.end_child(slot, code=1)

    assert (slot.state, slot.reason) == (State.WAITING, 'the database "second" is read-only')


def test_a_session_that_a_well_database_has_ended_is_a_quick_uncounted_restart(node: Node) -> None:
    slot = node.add_job(max_restarts=0)
    node.settle()
    node.pass_time(1.0)
    node.child_in(slot).say(Failed("OperationalError", "server closed the connection", "", lost_session="default"))
    node.end_child(slot, code=1)
    node.settle()

    assert (slot.state, slot.history.failures) == (State.RUNNING, 0)

"""``trigger``: a scheduled job runs now, and whoever asked is answered in time; what other orders do to such a job."""

import signal
from typing import Any

import pytest

from tests.harness.node import Node, fleet_reload_of
from workerd.daemon.node.audit import Audit
from workerd.daemon.node.reloading import Reloading
from workerd.daemon.node.shutdown import Shutdown
from workerd.daemon.slots.slot import LiveSlot
from workerd.wire.messages import Failed, Refused
from workerd.wire.words import Outcome, State, Trigger

from .test_orders import Setup

DAILY: dict[str, Any] = {"schedule": "30 2 * * *", "time_zone": "UTC", "restart": "on_failure", "backoff_initial": 1.0}
REST = "WAITING: its time: Wed 15 Nov 2023 02:30 UTC"


@pytest.fixture
def setup(node: Node) -> Setup:
    """Orders for a node with a job that runs nightly, one that runs always, and a nightly one that is disabled."""
    node.start()
    node.add_job("report", **DAILY)
    node.add_job("feed")
    node.add_job("unused", enabled=False, **DAILY)
    node.settle()
    return Setup(node)


def report(node: Node) -> LiveSlot:
    return node.slot("report")


def next_due(node: Node) -> float | None:
    dues = report(node).dues
    assert dues is not None
    return dues.next


def trigger(setup: Setup, *names: str, to_end: bool = False) -> None:
    setup.orders.carry_out("trigger", names or ("report",), setup.answers.append, to_end=to_end)
    setup.node.turn()


def fail(node: Node, slot: LiveSlot) -> None:
    node.child_in(slot).say(Failed("ValueError", "boom", ""))
    node.end_child(slot, code=1)


def test_it_is_answered_when_the_run_has_begun(node: Node, setup: Setup) -> None:
    following = next_due(node)
    trigger(setup)
    early = list(setup.answers)
    node.bear()
    child = report(node).child

    assert early == []
    assert child is not None
    assert setup.slots() == {"report": (True, f"it runs, pid {child.pid}")}
    assert child.trigger == Trigger.OPERATOR
    assert next_due(node) == following, "the schedule has moved"


def test_with_to_end_it_is_answered_when_the_run_has_ended(node: Node, setup: Setup) -> None:
    trigger(setup, to_end=True)
    node.settle()
    node.pass_time(7200)
    early = list(setup.answers)
    node.end_child(report(node), code=0)

    assert early == []
    assert setup.slots() == {"report": (True, "finished: exit code 0")}


def test_retries_belong_to_the_run_that_was_asked_for(node: Node, setup: Setup) -> None:
    trigger(setup, to_end=True)
    node.settle()
    fail(node, report(node))
    early = list(setup.answers)
    node.pass_time(2.0)
    node.settle()
    retried = report(node).child
    node.end_child(report(node), code=0)

    assert (early, retried is not None and retried.trigger) == ([], Trigger.RETRY)
    assert setup.slots() == {"report": (True, "finished: exit code 0")}


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"restart": "never"}, "error: ValueError: boom; not tried again, as its row's restart is “never”"),
        ({"max_restarts": 0}, "error: failed 1 time; waits for its next time; last: ValueError: boom"),
    ],
)
def test_a_run_that_fails_for_good_is_no_success(node: Node, setup: Setup, fields: dict[str, Any], says: str) -> None:
    node.add_job("report", **{**DAILY, **fields})
    trigger(setup, to_end=True)
    node.acknowledge()
    node.settle()
    fail(node, report(node))

    assert setup.slots() == {"report": (False, says)}


def test_a_run_that_is_refused_is_no_success(node: Node, setup: Setup) -> None:
    trigger(setup, to_end=True)
    node.bear()
    node.child_in(report(node)).say(Refused("no such printer"))
    node.turn()
    node.end_child(report(node), code=78)

    assert setup.slots() == {"report": (False, "refused: no such printer")}


def test_a_run_that_is_stopped_is_no_success(node: Node, setup: Setup) -> None:
    trigger(setup, to_end=True)
    node.settle()
    setup.orders.carry_out("stop", ["report"], lambda _: None)
    node.end_child(report(node), signal=signal.SIGTERM)

    assert setup.slots() == {"report": (False, "stopped: stopped as asked")}


def test_a_run_that_never_begins_says_why(node: Node, setup: Setup) -> None:
    trigger(setup, to_end=True)
    setup.orders.carry_out("stop", ["report"], lambda _: None, by="ann")
    node.turn()

    assert setup.slots() == {"report": (False, "missed: stopped by ann")}


@pytest.mark.parametrize("restart", ["never", "on_failure"])
def test_a_run_that_could_not_start_in_time_says_what_held_it_up(node: Node, setup: Setup, restart: str) -> None:
    node.add_job("report", **{**DAILY, "restart": restart, "start_within": 5.0})
    trigger(setup, to_end=True)
    node.pass_time(6.0)
    node.settle()

    [(ok, text)] = setup.slots().values()
    assert not ok
    assert text.startswith("missed: it could not start within 5 s, its row's start_within")


def test_a_run_whose_schedule_is_taken_away_before_it_begins_says_so(node: Node, setup: Setup) -> None:
    trigger(setup, to_end=True)
    node.add_job("report")
    node.settle()

    assert setup.slots() == {"report": (False, "missed: its schedule was taken away")}


def test_the_daemons_end_answers_it(node: Node, setup: Setup) -> None:
    trigger(setup, to_end=True)
    node.settle()
    Shutdown(node.parts).begin("SIGTERM")
    node.end_child(report(node), signal=signal.SIGTERM)

    assert setup.slots() == {"report": (False, "stopped: stopped as asked")}


@pytest.mark.parametrize(
    ("job", "says"),
    [
        ("feed", "it has no schedule, so that it runs always: “restart” starts it anew"),
        ("unused", "it is disabled: enable its row, or run it here with “workerd once”"),
    ],
)
def test_whom_it_does_not_suit_is_told_what_does(setup: Setup, job: str, says: str) -> None:
    trigger(setup, job)

    assert setup.slots() == {job: (False, says)}


def test_it_is_never_for_every_job(node: Node, setup: Setup) -> None:
    setup.give("trigger")

    assert setup.answers == [{"ok": False, "error": "name the jobs that are to run now"}]
    assert report(node).is_resting


def test_a_job_that_an_operator_has_stopped_is_not_run(node: Node, setup: Setup) -> None:
    setup.give("stop", "report")
    setup.answers.clear()
    trigger(setup)

    assert setup.slots() == {"report": (False, "it is stopped: start it first")}


def test_a_parked_job_says_why_it_is(node: Node, setup: Setup) -> None:
    node.add_job("report", problem="no such target", **DAILY)
    trigger(setup)

    assert setup.slots() == {"report": (False, "it is parked: no such target. Correct it, or resume it first")}


def test_one_that_runs_is_not_run_beside_itself(node: Node, setup: Setup) -> None:
    """Case 65."""
    trigger(setup)
    node.settle()
    setup.answers.clear()
    trigger(setup)
    pid = node.child_in(report(node)).pid

    assert setup.slots() == {"report": (False, f"it is running with pid {pid}, and its row's overlap is “skip”")}
    assert node.lines.of("job.missed") == []


def test_where_the_row_queues_it_follows_the_one_that_runs(node: Node, setup: Setup) -> None:
    """Case 65."""
    node.add_job("report", overlap="queue", **DAILY)
    trigger(setup)
    node.settle()
    setup.answers.clear()
    trigger(setup)
    first = setup.slots()
    setup.answers.clear()
    node.end_child(report(node), code=0)
    node.settle()

    assert first == {"report": (True, "it starts when the run that goes on has ended")}
    assert report(node).state is State.RUNNING


def test_one_that_follows_is_waited_for_to_its_own_end(node: Node, setup: Setup) -> None:
    node.add_job("report", overlap="queue", **DAILY)
    trigger(setup)
    node.settle()
    setup.answers.clear()
    trigger(setup, to_end=True)
    node.end_child(report(node), code=1)
    node.settle()
    early = list(setup.answers)
    node.end_child(report(node), code=0)

    assert early == []
    assert setup.slots() == {"report": (True, "finished: exit code 0")}


def test_where_the_row_replaces_it_takes_the_place_of_the_one_that_runs(node: Node, setup: Setup) -> None:
    node.add_job("report", overlap="replace", **DAILY)
    trigger(setup)
    node.settle()
    setup.answers.clear()
    trigger(setup, to_end=True)
    node.end_child(report(node), signal=signal.SIGTERM)
    node.settle()
    early = list(setup.answers)
    node.end_child(report(node), code=0)

    assert early == []
    assert setup.slots() == {"report": (True, "finished: exit code 0")}


def test_asked_for_twice_before_it_starts_it_runs_once_and_misses_nothing(node: Node, setup: Setup) -> None:
    trigger(setup)
    trigger(setup)
    node.bear()
    pid = node.child_in(report(node)).pid
    texts = [answer["slots"][0]["text"] for answer in setup.answers]

    assert texts == [f"it runs, pid {pid}"] * 2
    assert node.lines.of("job.missed") == []


def test_a_retry_that_waits_gives_way_to_it(node: Node, setup: Setup) -> None:
    trigger(setup)
    node.bear()
    fail(node, report(node))
    waits = report(node).state
    setup.answers.clear()
    trigger(setup, to_end=True)
    node.settle()
    node.end_child(report(node), code=0)

    assert waits is State.BACKOFF
    assert setup.slots() == {"report": (True, "finished: exit code 0")}


def test_a_moment_that_was_the_last_one_can_be_had_again(node: Node, setup: Setup) -> None:
    slot = node.add_job("once", schedule="at 2023-11-14 22:14", time_zone="UTC", restart="on_failure")
    node.pass_time(41)
    node.settle()
    node.end_child(slot, code=0)
    done = slot.state
    trigger(setup, "once")
    node.settle()

    assert (done, slot.state) == (State.DONE, State.RUNNING)


def test_a_run_that_ends_long_after_it_was_asked_for_is_in_the_audit_at_once(node: Node, setup: Setup) -> None:
    reloading = Reloading(node.parts, Shutdown(node.parts))
    audit = Audit(node.parts, setup.orders, reloading, fleet_reload_of(node.parts, reloading))
    reply = audit.audited("trigger", ["report"], "ann", setup.answers.append, at_once=True)
    setup.orders.carry_out("trigger", ["report"], reply, to_end=True, by="ann")
    node.settle()
    [early] = node.records("operation")
    node.end_child(report(node), code=0)
    late = node.records("operation")[-1]

    assert early.key == late.key
    assert early.row is not None
    assert late.row is not None
    assert (early.row["verb"], early.row["result"]) == ("trigger", "asked for; the runs go on")
    assert late.row["result"] == "report: finished: exit code 0"


# other orders


def test_a_start_of_one_that_was_stopped_is_answered_with_its_time(node: Node, setup: Setup) -> None:
    setup.give("stop", "report")
    setup.answers.clear()
    setup.give("start", "report")

    assert setup.slots() == {"report": (True, REST)}


def test_a_restart_of_everything_runs_no_job_that_waits_for_its_time(node: Node, setup: Setup) -> None:
    setup.give("restart")
    node.end_child(node.slot("feed"), signal=signal.SIGTERM)
    node.settle()

    assert report(node).is_resting
    assert setup.slots()["report"] == (True, REST)


def test_a_restart_of_everything_leaves_a_scheduled_run(node: Node, setup: Setup) -> None:
    trigger(setup)
    node.settle()
    setup.answers.clear()
    child = report(node).child
    setup.give("restart")
    node.end_child(node.slot("feed"), signal=signal.SIGTERM)
    node.settle()

    assert (report(node).child, report(node).state) == (child, State.RUNNING)
    assert setup.slots()["report"] == (True, "its scheduled run goes on: name it to have that begin anew")


def test_a_restart_by_name_begins_the_run_anew(node: Node, setup: Setup) -> None:
    trigger(setup)
    node.settle()
    setup.answers.clear()
    setup.give("restart", "report")
    node.end_child(report(node), signal=signal.SIGTERM)
    node.settle()

    assert report(node).outcome is Outcome.STOPPED
    assert setup.slots() == {"report": (True, f"RUNNING, pid {node.child_in(report(node)).pid}")}

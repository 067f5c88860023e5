"""How each effect is done: what a child is sent, which deadlines run, what is logged; with every part of the daemon."""

import signal
from typing import Any

import pytest

from tests.harness.node import Node
from workerd.daemon.processes.births import RETRY_MAX_S
from workerd.daemon.slots.effects import KILL_PATIENCE_S, PLACE_S, RECOVERY_SPREAD_S, stop_signal
from workerd.daemon.slots.slot import LiveSlot
from workerd.wire.messages import (
    DatabaseConnected,
    DatabaseLost,
    DatabaseRecovered,
    Failed,
    Loaded,
    Refused,
)
from workerd.wire.spec import JobSpec
from workerd.wire.words import Outcome, State


@pytest.fixture(autouse=True)
def started(node: Node) -> None:
    node.start()


def running(node: Node, name: str = "feed", **fields: Any) -> LiveSlot:
    slot = node.add_job(name, **fields)
    node.settle()
    assert slot.state is State.RUNNING
    return slot


# births


def test_a_licence_says_which_job_slot_run_and_node(node: Node) -> None:
    slot = running(node, processes=2, kwargs={"depth": 3})
    licence = node.child_in(node.slot("feed", 1)).licence
    assert slot.child is not None

    assert JobSpec.from_dict(licence.spec) == slot.spec
    assert (licence.index, licence.node, licence.host, licence.generation) == (1, "shop", "web1", 1)
    assert licence.run != slot.child.run


def test_a_run_that_begins_is_logged_with_how_long_its_birth_took(node: Node) -> None:
    slot = node.add_job()
    node.turn()
    node.clock.advance(0.25)
    node.bear()
    assert slot.child is not None
    [born] = [event for event in node.lines.of("child.born") if event["job"] == "feed"]

    assert (born["slot"], born["run"], born["spare"], born["ms"]) == ("feed", slot.child.run, False, 250.0)


def test_a_spare_is_licensed_at_once(node: Node) -> None:
    node.parts.births.replenish()
    node.bear()
    slot = node.add_job()
    [born] = [event for event in node.lines.of("child.born") if event["job"] == "feed"]

    assert slot.child is not None
    assert born["spare"]
    assert "ms" not in born


def test_a_slot_that_waits_for_a_birth_says_why_there_is_none(node: Node) -> None:
    node.parts.generations.reload(lambda _: None)
    node.end_forkserver(node.forkservers[0], code=1)
    node.forkserver.reject("SyntaxError: never closed")
    node.turn()
    slot = node.add_job()

    assert slot.reason == "no process can be started: SyntaxError: never closed"


def test_a_slot_whose_process_cannot_be_forked_says_why_and_keeps_nobody_from_being_ready(node: Node) -> None:
    """Neither the daemon, nor those who stand in line behind it."""
    node.start()
    places = node.parts.pacing._places
    slots = [node.add_job(f"job-{number}", start_grace=0.0) for number in range(places + 3)]
    node.turn()
    for _ in range(30):
        node.forkserver.refuse_births("fork failed, Resource temporarily unavailable")
        node.pass_time(1.0)
    reasons = {slot.reason for slot in slots}
    started = [slot.started_once for slot in slots]
    node.settle()
    node.pass_time(RETRY_MAX_S)
    node.settle()

    assert reasons == {"waiting for a process: fork failed, Resource temporarily unavailable"}
    assert all(started)
    assert {(slot.state, slot.reason) for slot in slots} == {(State.RUNNING, "")}


def test_an_import_that_hangs_does_not_hold_up_every_job(node: Node) -> None:
    places = node.parts.pacing._places
    slots = [node.add_job(f"job-{number}") for number in range(places + 1)]
    node.bear()
    waiting = slots[-1].state
    node.pass_time(PLACE_S)

    assert (waiting, slots[-1].state) == (State.WAITING, State.STARTING)


def test_the_ledger_stands_in_no_line_behind_jobs(node: Node) -> None:
    """What the daemon knows is on no disk while it is missing."""
    places = node.parts.pacing._places
    jobs = [node.add_job(f"job-{number}") for number in range(places + 3)]
    node.bear()
    node.end_child(node.parts.ledger.slot, signal=signal.SIGKILL)
    node.turn()

    assert [job.state for job in jobs] == [State.STARTING] * places + [State.WAITING] * 3
    assert node.parts.ledger.slot.state is State.STARTING


# deadlines


def test_a_child_that_is_not_ready_in_time_hangs(node: Node) -> None:
    slot = node.add_job(start_timeout=3.0, signals_ready=True)
    node.bear()
    node.child_in(slot).page.write_note("importing")
    node.pass_time(2.9)
    early = slot.state
    node.pass_time(0.1)
    [hung] = node.lines.of("child.hung")

    assert (early, slot.state) == (State.STARTING, State.STOPPING)
    assert (hung["silent_s"], hung["timeout_s"], hung["note"]) == (3.0, 3.0, "importing")
    assert slot.child is not None
    assert (slot.child.verdict, slot.child.verdict_reason) == (
        Outcome.HUNG,
        "it was not ready within 3 s, its start timeout",
    )


def test_a_child_gets_the_time_back_in_which_the_daemon_itself_stood_still(node: Node) -> None:
    slot = node.add_job(start_timeout=3.0, signals_ready=True)
    node.bear()
    node.stand_still(60)
    pardoned = slot.state
    node.pass_time(3.0)

    assert (pardoned, slot.state) == (State.STARTING, State.STOPPING)


def test_a_job_that_does_not_say_that_it_is_ready_is_so_after_its_grace(node: Node) -> None:
    slot = node.add_job(start_grace=2.0)
    node.bear()
    node.child_in(slot).say(Loaded())
    node.turn()
    node.pass_time(1.9)
    early = slot.state
    node.pass_time(0.1)
    [ready] = [event for event in node.lines.of("child.ready") if event["job"] == "feed"]

    assert (early, slot.state, ready["ms"]) == (State.STARTING, State.RUNNING, 2000.0)


def test_a_restart_after_a_failure_waits_its_delay_and_says_until_when(node: Node) -> None:
    slot = node.add_job(backoff_initial=10.0)
    node.bear()
    node.end_child(slot, code=1)
    [scheduled] = node.lines.of("child.restart_scheduled")
    assert slot.next_start_wall is not None
    due = slot.next_start_wall - node.clock.wall()
    node.pass_time(due - 0.1)
    early = slot.state
    node.pass_time(0.2)

    assert 9.0 <= due <= 11.0
    assert (scheduled["delay_s"], scheduled["reason"], scheduled["failures"]) == (round(due, 3), "exit code 1", 2)
    assert (early, slot.state) == (State.BACKOFF, State.STARTING)


# the end of a child


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_a_child_is_asked_to_go_by_the_signal_of_its_row(node: Node, number: signal.Signals) -> None:
    slot = running(node, stop_signal=number.name.removeprefix("SIG"), stop_timeout=4.0)
    node.parts.lifecycle.want(slot, False, "stopped by ada")
    [stopping] = node.lines.of("child.stopping")

    assert node.signals_to(slot) == [number]
    assert (stopping["signal"], stopping["reason"], stopping["timeout_s"]) == (number.name, "stopped by ada", 4.0)


def test_a_stop_signal_that_is_none_is_term() -> None:
    assert stop_signal(JobSpec("feed", stop_signal="NONSENSE")) is signal.SIGTERM


def test_the_ledger_is_asked_to_go_by_the_end_of_its_channel(node: Node) -> None:
    """A signal would come in the middle of what it writes."""
    slot = node.parts.ledger.slot
    ledger = node.ledger
    node.parts.lifecycle.want(slot, False)
    ledger.hear()

    assert ledger.at_end
    assert node.signals_to(slot) == []


def test_a_child_that_does_not_stop_in_time_is_killed_with_its_group(node: Node) -> None:
    slot = running(node, stop_timeout=2.0)
    node.parts.lifecycle.want(slot, False)
    node.pass_time(2.0)
    node.pass_time(5.0)
    [killed] = node.lines.of("child.killed")

    assert node.signals_to(slot) == [signal.SIGTERM, signal.SIGKILL]
    assert killed["reason"] == "it did not stop within 2 s"


def test_a_child_that_cannot_be_killed_is_reported(node: Node) -> None:
    slot = running(node, stop_timeout=2.0)
    node.parts.lifecycle.want(slot, False)
    node.pass_time(2.0)
    node.pass_time(5.0)
    node.pass_time(KILL_PATIENCE_S)
    [event] = node.lines.of("child.unkillable")

    assert slot.unkillable
    assert (event["slot"], event["seconds"]) == ("feed", KILL_PATIENCE_S)


# news


def test_a_row_that_cannot_run_is_parked_and_said_to_be_refused(node: Node) -> None:
    slot = node.add_job(problem="there is no such target")

    assert slot.state is State.PARKED
    assert node.lines.of("job.refused")[0]["reason"] == "there is no such target"
    assert node.lines.of("child.parked")[0]["reason"] == "the job cannot run: job.refused says why"


def test_a_parked_slot_that_goes_on_is_logged(node: Node) -> None:
    slot = node.add_job(problem="there is no such target")
    node.add_job()
    node.settle()

    assert slot.state is State.RUNNING
    assert len(node.lines.of("child.resumed")) == 1


def test_a_job_that_a_child_refused_is_parked_with_its_words(node: Node) -> None:
    slot = node.add_job()
    node.bear()
    node.child_in(slot).say(Refused("no such printer"))
    node.turn()
    node.end_child(slot, code=78)

    assert (slot.state, slot.reason) == (State.PARKED, "no such printer")
    said = {name: node.lines.of(name)[-1]["reason"] for name in ("job.refused", "child.exited", "child.parked")}
    assert said.pop("job.refused") == "no such printer"
    assert set(said.values()) == {"the job cannot run: job.refused says why"}, "its words stand in the log once"


# the database


def test_children_that_missed_the_database_come_back_within_a_second_of_it(node: Node) -> None:
    node.tell(DatabaseConnected("postgresql", "15"))
    slots = [running(node, f"job-{number}", backoff_initial=40.0) for number in range(4)]
    node.tell(DatabaseLost("connection refused"))
    for slot in slots:
        node.child_in(slot).say(Failed("OperationalError", "connection refused", "", "default"))
        node.turn()
        node.end_child(slot, code=1)
    waiting = [slot.is_waiting_for_database for slot in slots]
    node.tell(DatabaseRecovered(0))
    node.pass_time(RECOVERY_SPREAD_S)
    node.settle()

    assert waiting == [True] * 4
    assert [slot.state for slot in slots] == [State.RUNNING] * 4

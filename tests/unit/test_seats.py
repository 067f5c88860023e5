"""The seats of the fleet in a daemon's real parts: granted, lost, doubted, killed for, given up and released."""

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tests.harness.node import FakeChild, Node, orders_of
from workerd.daemon.node.readiness import Readiness
from workerd.daemon.node.shutdown import Shutdown
from workerd.daemon.rules.holdings import Holding
from workerd.daemon.slots.slot import LiveSlot
from workerd.wire import lease
from workerd.wire.messages import (
    Alive,
    Drain,
    Draining,
    JobsListed,
    License,
    Message,
    SeatDeclined,
    SeatReleased,
    SeatsElsewhere,
    SeatsHeld,
)
from workerd.wire.words import Elsewhere, Scope, State, WithoutDatabase

JOB_ID = 7
F = 30.0
M = TypeVar("M", bound=Message)


class FleetNode(Node):
    """A node with a job of the fleet, to which its ledger tells which seats it has."""

    token = 100

    def begin(self, **fields: Any) -> LiveSlot:
        """Start, with the job known and no seat of it here."""
        self.start()
        self.tell(JobsListed(0))
        slot = self.add_job("feed", id=JOB_ID, **{"scope": Scope.FLEET, **fields})
        self.settle()
        return slot

    def hold(self, *indexes: int, whole: bool = True, token: int | None = None, sent: float | None = None) -> None:
        """Have the ledger tell of seats of the job that are held, by a statement that was just sent."""
        at = self.clock.boot_now if sent is None else sent
        seats = [[JOB_ID, index, token or self.token, F] for index in indexes]
        self.tell(SeatsHeld(at, seats, whole))
        self.settle()

    def said(self, kind: type[M]) -> list[M]:
        """Return what the ledger was told, of this kind."""
        self.turn()
        self.ledger.hear()
        return [message for message in self.ledger.messages if isinstance(message, kind)]

    def end(self, slot: LiveSlot, **how: Any) -> None:
        """Have the slot's child end, and nothing of it be left."""
        assert slot.child is not None
        run, pid = slot.child.run, slot.child.pid or 0
        self.parts.leftovers.end_run(run, pid, {})
        self.end_child(slot, **how)
        self.turn()


@pytest.fixture
def node(tmp_path: Path) -> Iterator[FleetNode]:
    node = FleetNode(tmp_path)
    yield node
    node.close()


def licence(child: FakeChild) -> License:
    return next(message for message in child.messages if isinstance(message, License))


def state(slot: LiveSlot) -> State:
    return slot.state


def shown(slot: LiveSlot) -> State:
    return slot.shown_state


def deadline(slot: LiveSlot) -> float:
    assert slot.child is not None
    assert isinstance(slot.child.seat, Holding)
    return slot.child.seat.deadline


# grant and loss


def test_a_slot_of_the_fleet_runs_only_where_its_seat_is(node: FleetNode) -> None:
    slot = node.begin()
    assert (state(slot), slot.wanted) == (State.STOPPED, False)
    node.hold(0)

    assert state(slot) is State.RUNNING
    assert licence(node.child_in(slot)).token == node.token


def test_a_renewal_without_the_seat_ends_its_process(node: FleetNode) -> None:
    slot = node.begin()
    node.hold(0)
    node.pass_time(1.0)
    node.hold()

    assert state(slot) is State.STOPPING
    assert node.signals_to(slot) == [signal.SIGTERM]


def test_a_claim_adds_to_what_is_held(node: FleetNode) -> None:
    node.begin(processes=2)
    node.hold(0)
    node.pass_time(1.0)
    node.hold(1, whole=False)

    assert [node.slot("feed", index).state for index in (0, 1)] == [State.RUNNING, State.RUNNING]


def test_a_list_that_was_sent_before_the_newest_neither_ends_nor_revives(node: FleetNode) -> None:
    slot = node.begin()
    early = node.clock.boot_now
    node.pass_time(1.0)
    node.hold(0)
    node.hold(sent=early)
    assert state(slot) is State.RUNNING
    node.pass_time(1.0)
    node.hold()
    node.end(slot, code=0)
    node.hold(0, sent=early)

    assert state(slot) is State.STOPPED


def test_a_new_token_ends_the_process_before_the_slot_starts_again(node: FleetNode) -> None:
    slot = node.begin()
    node.hold(0)
    node.pass_time(1.0)
    node.hold(0, token=node.token + 1)
    assert (state(slot), slot.wanted) == (State.STOPPING, True)
    node.end(slot, code=0)
    node.settle()

    assert state(slot) is State.RUNNING
    assert licence(node.child_in(slot)).token == node.token + 1


# deadlines


def test_a_child_is_asked_to_stop_when_no_renewal_comes_and_killed_at_the_deadline(node: FleetNode) -> None:
    slot = node.begin(stop_timeout=60.0)
    node.hold(0)
    asked_at = lease.ask_at(deadline(slot), F, 60.0)
    node.pass_time(asked_at - node.clock.boot_now - 0.1)
    assert state(slot) is State.RUNNING
    node.pass_time(0.2)
    assert node.signals_to(slot) == [signal.SIGTERM]
    node.pass_time(deadline(slot) - node.clock.boot_now + 0.1)

    assert node.signals_to(slot) == [signal.SIGTERM, signal.SIGKILL]
    assert "could not be renewed" in node.lines.of("child.killed")[0]["reason"]


def test_a_renewal_does_not_take_back_that_a_child_was_asked_to_stop(node: FleetNode) -> None:
    slot = node.begin()
    node.hold(0)
    node.pass_time(lease.ask_at(deadline(slot), F, 10.0) - node.clock.boot_now + 0.1)
    node.hold(0)
    assert (state(slot), slot.wanted) == (State.STOPPING, True)
    node.end(slot, code=0)
    node.settle()

    assert state(slot) is State.RUNNING


def test_after_a_suspend_the_kill_comes_before_anything_else(node: FleetNode) -> None:
    slot = node.begin()
    node.hold(0)
    turned: list[list[int]] = []
    node.parts.loop.call_next(lambda: turned.append(node.signals_to(slot)))
    node.clock.boot_now += 2 * F  # the monotonic clock stands still meanwhile
    node.turn()

    assert turned == [[signal.SIGKILL]]


def test_no_child_starts_when_too_little_is_left(node: FleetNode) -> None:
    slot = node.begin(stop_timeout=1.0)
    node.hold(0)
    node.pass_time(lease.kill_at(0.0, F) - F / 3 + 0.1)
    node.end(slot, code=0)
    node.pass_time(2.0)
    node.settle()
    assert slot.child is None
    assert "renewed" in slot.reason
    node.hold(0)

    assert state(slot) is State.RUNNING


def test_a_newborn_for_which_too_little_is_left_is_let_go(node: FleetNode) -> None:
    slot = node.begin(stop_timeout=1.0)
    node.parts.births.drop_spares()
    node.tell(SeatsHeld(node.clock.boot_now, [[JOB_ID, 0, 1, F]]))
    node.clock.advance(lease.kill_at(0.0, F) - F / 3 + 0.1)
    node.settle()
    assert slot.child is None
    node.hold(0, token=1)

    assert state(slot) is State.RUNNING


def test_a_job_that_goes_on_is_neither_asked_nor_killed_while_no_answer_comes(node: FleetNode) -> None:
    slot = node.begin(without_database=WithoutDatabase.GO_ON)
    node.hold(0)
    for _ in range(6):
        node.pass_time(F / 2)
        node.ledger.page.beat()

    assert state(slot) is State.RUNNING
    assert node.child_in(slot).page.deadline_ns == 0
    node.hold()
    assert node.signals_to(slot) == [signal.SIGTERM]
    node.pass_time(F / 3 + 0.5)
    assert signal.SIGKILL in node.signals_to(slot)


def test_the_page_shows_the_deadline_of_the_newest_renewal(node: FleetNode) -> None:
    slot = node.begin()
    node.hold(0)
    first = node.child_in(slot).page.deadline_ns
    node.pass_time(5.0)
    node.hold(0)

    assert first == int((deadline(slot) - 5.0) * 1e9)
    assert node.child_in(slot).page.deadline_ns == int(deadline(slot) * 1e9)


# releases


def test_a_seat_is_released_once_its_process_was_reaped_and_nothing_is_left(node: FleetNode) -> None:
    slot = node.begin()
    node.hold(0)
    node.add_job("feed", id=JOB_ID, scope=Scope.FLEET, enabled=False)
    assert state(slot) is State.STOPPING
    assert node.said(SeatReleased) == []
    node.end(slot, code=0)

    assert node.said(SeatReleased) == [SeatReleased(JOB_ID, 0, node.token)]


def test_a_released_seat_is_not_used_again_though_a_late_list_names_it(node: FleetNode) -> None:
    slot = node.begin()
    node.hold(0)
    node.add_job("feed", id=JOB_ID, scope=Scope.FLEET, enabled=False)
    node.end(slot, code=0)
    node.add_job("feed", id=JOB_ID, scope=Scope.FLEET)
    node.pass_time(1.0)
    node.hold(0)
    assert state(slot) is State.STOPPED
    node.hold(0, token=node.token + 1, sent=node.clock.boot_now + 0.1)

    assert state(slot) is State.RUNNING


def test_a_graceful_stop_releases_each_seat_before_the_ledger_drains(node: FleetNode) -> None:
    slot = node.begin()
    node.hold(0)
    shutdown = Shutdown(node.parts)
    node.parts.loop.at_turn_end(shutdown.go_on)
    shutdown.begin("TERM")
    node.end(slot, code=0)
    node.acknowledge()

    node.ledger.hear()
    kinds = [type(said) for said in node.ledger.messages if isinstance(said, Draining | SeatReleased | Drain)]
    assert kinds[:2] == [Draining, SeatReleased]


def test_a_parked_slot_gives_up_its_seat_and_the_job_is_declined_until_an_edit(node: FleetNode) -> None:
    slot = node.begin(max_restarts=0)
    node.hold(0)
    node.end(slot, code=1)
    assert [(said.job_id, bool(said.reason)) for said in node.said(SeatDeclined)] == [(JOB_ID, True)]
    assert node.said(SeatReleased) == [SeatReleased(JOB_ID, 0, node.token)]
    assert state(slot) is State.STOPPED
    node.add_job("feed", id=JOB_ID, scope=Scope.FLEET, max_restarts=5)

    assert node.said(SeatDeclined)[-1].reason == ""


def test_a_row_that_can_run_no_more_is_refused_once_by_the_slot_that_has_its_seat(node: FleetNode) -> None:
    slot = node.begin()
    node.hold(0)
    node.add_job("feed", "there is no such module", id=JOB_ID, scope=Scope.FLEET)
    node.end(slot, code=0)
    node.turn()

    assert [event["slot"] for event in node.lines.of("job.refused")] == ["feed"]


def test_a_row_that_cannot_run_here_is_declined(node: FleetNode) -> None:
    node.begin()
    node.add_job("feed", "there is no such module", id=JOB_ID, scope=Scope.FLEET)

    assert [said.reason for said in node.said(SeatDeclined)] == ["there is no such module"]
    assert [event["reason"] for event in node.lines.of("job.refused")] == ["there is no such module"]
    node.add_job("feed", id=JOB_ID, scope=Scope.FLEET)
    assert node.said(SeatDeclined)[-1].reason == ""


# the ledger


def test_the_ledger_hears_each_second_that_the_daemon_turns_and_who_runs(node: FleetNode) -> None:
    slot = node.begin()
    node.hold(0)
    before = len(node.said(Alive))
    node.pass_time(3.0)

    assert len(node.said(Alive)) == before + 3
    [seat] = node.said(Alive)[-1].seats
    assert seat[:4] == [JOB_ID, 0, node.token, node.child_in(slot).pid]
    assert seat[5] == deadline(slot)


def test_a_node_without_jobs_of_the_fleet_says_nothing(node: FleetNode) -> None:
    node.begin(scope=Scope.EACH_NODE)
    node.pass_time(5.0)

    assert node.said(Alive) == []


# rows and words


def test_a_slot_that_waits_for_a_seat_has_no_row_and_says_who_has_it(node: FleetNode) -> None:
    node.begin()
    node.tell(SeatsElsewhere([[JOB_ID, 0, "another node has it: web@b", Elsewhere.HELD]]))

    assert node.records("slot") == []
    [shown] = [row for row in node.parts.slot_set.snapshot() if row["job_name"] == "feed"]
    assert (shown["state"], shown["reason"]) == (State.WAITING, "another node has it: web@b")


def test_a_slot_that_loses_its_seat_loses_its_row(node: FleetNode) -> None:
    slot = node.begin()
    node.hold(0)
    node.parts.slot_set.write_rows()
    node.hold(sent=node.clock.boot_now + 0.1)
    node.end(slot, code=0)
    node.parts.slot_set.write_rows()

    assert node.records("slot")[-1].row is None


def give(node: FleetNode, verb: str, *names: str) -> list[dict[str, Any]]:
    """Give an order, and return what came of it for each slot."""
    answers: list[dict[str, Any]] = []
    orders_of(node.parts).carry_out(verb, names, answers.append, wait=False)
    node.turn()
    return list(answers[0]["slots"])


def test_a_resume_has_the_node_try_for_the_seat_again(node: FleetNode) -> None:
    slot = node.begin(max_restarts=0)
    node.hold(0)
    node.end(slot, code=1)
    give(node, "resume", "feed")

    assert [bool(said.reason) for said in node.said(SeatDeclined)] == [True, False]


def test_a_slot_that_waits_for_its_seat_counts_as_arrived(node: FleetNode) -> None:
    node.begin()
    readiness = Readiness(node.parts)
    readiness.look()

    assert readiness.reached


def missed(node: FleetNode) -> list[str]:
    return [slot.name for slot, _ in node.parts.fleet.elsewhere.missed()]


def test_a_seat_that_no_node_has_for_too_long_is_said(node: FleetNode) -> None:
    node.begin()
    node.tell(SeatsElsewhere([[JOB_ID, 0, "no node has it", Elsewhere.FREE]]))
    node.pass_time(lease.longest_gap(F) / 2)
    node.ledger.page.beat()
    node.pass_time(lease.longest_gap(F) / 2 - 0.5)
    assert missed(node) == []
    node.pass_time(1.0)
    assert missed(node) == ["feed"]
    node.tell(SeatsElsewhere([[JOB_ID, 0, "another node has it: web@b", Elsewhere.HELD]]))

    assert missed(node) == []


def test_a_seat_that_this_node_may_not_have_does_not_make_it_unready(node: FleetNode) -> None:
    node.begin()
    node.tell(SeatsElsewhere([[JOB_ID, 0, "needs zone=a", Elsewhere.UNFIT]]))
    node.pass_time(3 * F)

    assert missed(node) == []


def test_what_no_node_can_run_is_shown_as_parked(node: FleetNode) -> None:
    slot = node.begin(max_restarts=0)
    node.hold(0)
    node.end(slot, code=1)
    assert shown(slot) is State.PARKED
    node.tell(SeatsElsewhere([[JOB_ID, 0, "another node has it: web@b", Elsewhere.HELD]]))

    assert shown(slot) is State.WAITING
    assert slot.seat_reason.startswith("cannot run here: gave up")
    assert slot.seat_reason.endswith("another node has it: web@b")


def test_a_job_that_starts_after_one_of_the_fleet_waits_until_a_node_has_its_seat(node: FleetNode) -> None:
    node.begin()
    mail = node.add_job("mail", starts_after=["feed"])
    node.parts.slot_set.become_whole()
    node.settle()
    assert state(mail) is State.WAITING
    node.tell(SeatsElsewhere([[JOB_ID, 0, "another node has it: web@b", Elsewhere.HELD]]))
    node.settle()

    assert state(mail) is State.RUNNING


def test_a_job_does_not_wait_for_ever_for_a_seat_that_no_node_takes(node: FleetNode) -> None:
    node.begin(start_timeout=30.0)
    mail = node.add_job("mail", starts_after=["feed"])
    node.parts.slot_set.become_whole()
    for _ in range(4):
        node.pass_time(20.0)
        node.ledger.page.beat()
    node.settle()

    assert state(mail) is State.RUNNING
    assert node.lines.of("job.order_ignored")[0]["reason"] == "no node of the fleet runs it"


def test_a_new_ledger_is_told_all_that_still_holds(node: FleetNode) -> None:
    slot = node.begin(max_restarts=0)
    node.hold(0)
    node.end(slot, code=1)
    node.end_child(node.slot("workerd.ledger"), code=1)
    node.pass_time(10.0)
    node.settle()

    assert node.said(Alive)
    assert node.said(SeatReleased) == [SeatReleased(JOB_ID, 0, node.token)]
    assert [said.job_id for said in node.said(SeatDeclined)] == [JOB_ID]


def test_a_job_that_moves_between_the_scopes_never_runs_twice(node: FleetNode) -> None:
    slot = node.begin(scope=Scope.EACH_NODE)
    node.settle()
    assert state(slot) is State.RUNNING
    node.add_job("feed", id=JOB_ID, scope=Scope.FLEET)
    assert (state(slot), slot.wanted) == (State.STOPPING, False)
    node.end(slot, code=0)
    node.hold(0)
    node.add_job("feed", id=JOB_ID)
    assert (state(slot), slot.wanted) == (State.STOPPING, True)
    node.end(slot, code=0)
    node.settle()

    assert licence(node.child_in(slot)).token is None
    assert node.said(SeatReleased) == [SeatReleased(JOB_ID, 0, node.token)]


def test_a_renamed_job_does_not_start_before_the_process_of_its_old_name_has_ended(node: FleetNode) -> None:
    old = node.begin()
    node.hold(0)
    node.parts.slot_set.apply("feed", None)
    new = node.add_job("food", id=JOB_ID, scope=Scope.FLEET)
    node.settle()
    assert (state(old), state(new)) == (State.STOPPING, State.STOPPED)
    node.end(old, code=0)
    node.settle()

    assert state(new) is State.RUNNING


@pytest.mark.parametrize("is_drained", [False, True])
def test_a_seat_of_a_process_that_cannot_be_killed_is_never_released(node: FleetNode, is_drained: bool) -> None:
    slot = node.begin(stop_timeout=1.0)
    node.hold(0)
    if is_drained:
        node.parts.fleet.seats.give_up(slot, "this node is drained")
    else:
        node.add_job("feed", id=JOB_ID, scope=Scope.FLEET, enabled=False)
    for _ in range(12):
        node.pass_time(2.0)
        node.hold(0)

    assert slot.unkillable
    assert node.said(SeatReleased) == []
    assert ["feed" in said["reason"] for said in node.lines.of("seat.kept")] == [True]

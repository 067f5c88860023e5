"""Orders for jobs of the fleet: a stop holds in the whole fleet, and what other nodes run is ordered there."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.node import orders_of
from workerd.wire.messages import (
    Draining,
    DrainWeighed,
    JobRefused,
    PassedOn,
    PassOn,
    SeatReleased,
    SeatsElsewhere,
    SeatsStopped,
    StopSeats,
    WeighDrain,
)
from workerd.wire.words import Elsewhere, State

from .test_seats import JOB_ID, FleetNode

ON_B = "another node has it: web@b"


class Setup:
    """Takes orders for a node with a job of two seats, of which it has the first, and keeps the answers."""

    def __init__(self, node: FleetNode, **fields: Any) -> None:
        self.node = node
        self.slot = node.begin(processes=2, **fields)
        node.hold(0)
        node.tell(SeatsElsewhere([[JOB_ID, 1, ON_B, Elsewhere.HELD]]))
        self.orders = orders_of(node.parts)
        node.parts.loop.at_turn_end(self.orders.go_on)
        node.parts.loop.at_turn_end(node.parts.drain.go_on)
        self.answers: list[dict[str, Any]] = []

    def give(self, verb: str, *names: str, passes_on: bool = True) -> None:
        self.orders.carry_out(verb, names, self.answers.append, by="ann", passes_on=passes_on)
        self.node.turn()

    def slots(self) -> dict[str, tuple[bool, str]]:
        """Return what the only answer says of each slot."""
        [answer] = self.answers
        return {slot["slot"]: (slot["ok"], str(slot["text"])) for slot in answer["slots"]}


@pytest.fixture
def setup(tmp_path: Path) -> Iterator[Setup]:
    node = FleetNode(tmp_path)
    yield Setup(node)
    node.close()


# stop and start


def test_a_stop_goes_to_the_database_and_ends_nothing_before_it_is_there(setup: Setup) -> None:
    setup.give("stop", "feed")

    assert setup.node.said(StopSeats) == [StopSeats([[JOB_ID, 0], [JOB_ID, 1]], "ann")]
    assert (setup.slot.state, setup.answers) == (State.RUNNING, [])


def test_once_it_is_there_the_process_ends_its_seat_is_released_and_the_order_answered(setup: Setup) -> None:
    setup.give("stop", "feed")
    setup.node.tell(SeatsStopped([[JOB_ID, 0], [JOB_ID, 1]], "ann"))
    assert (setup.slot.state, setup.answers) == (State.STOPPING, [])
    setup.node.end(setup.slot, code=0)
    setup.node.turn()

    assert setup.slots() == {
        "feed:0": (True, "STOPPED: stopped in the fleet by ann"),
        "feed:1": (True, f"stopped in the fleet by ann; {ON_B}"),
    }
    assert setup.node.said(SeatReleased) == [SeatReleased(JOB_ID, 0, setup.node.token)]
    assert not setup.slot.held, "another node, and a later life of this one, may be told to start it"


def test_a_stop_that_another_node_was_told_ends_the_process_here(setup: Setup) -> None:
    setup.node.tell(SeatsStopped([[JOB_ID, 0]], "bob"))

    assert setup.slot.state is State.STOPPING
    assert setup.slot.seat_reason == "stopped in the fleet by bob"


def test_a_stop_that_the_database_does_not_take_says_so(setup: Setup) -> None:
    setup.give("stop", "feed:0")
    setup.node.pass_time(60.0)
    setup.node.turn()

    [answer] = setup.answers
    assert not answer["ok"]
    assert "the database has not taken the order" in answer["slots"][0]["text"]


def test_a_start_clears_the_stop_for_every_seat_of_the_job(setup: Setup) -> None:
    setup.give("start", "feed")
    setup.node.tell(SeatsStopped([[JOB_ID, 0], [JOB_ID, 1]], ""))

    assert setup.node.said(StopSeats) == [StopSeats([[JOB_ID, 0], [JOB_ID, 1]], "")]
    assert setup.slots()["feed:1"] == (True, f"started in the fleet; {ON_B}")
    assert setup.slots()["feed:0"][0]
    assert setup.slot.state is State.RUNNING


def test_a_start_of_a_disabled_job_is_refused_and_clears_nothing(tmp_path: Path) -> None:
    node = FleetNode(tmp_path)
    setup = Setup(node, enabled=False)
    setup.give("start", "feed")
    node.close()

    assert node.said(StopSeats) == []
    assert setup.slots()["feed:0"] == (False, "it is disabled: enable its row first")


def test_a_stop_of_one_seat_leaves_the_others(setup: Setup) -> None:
    setup.give("stop", "feed:1")
    setup.node.tell(SeatsStopped([[JOB_ID, 1]], "ann"))

    assert setup.node.said(StopSeats) == [StopSeats([[JOB_ID, 1]], "ann")]
    assert setup.slots() == {"feed:1": (True, f"stopped in the fleet by ann; {ON_B}")}
    assert setup.slot.state is State.RUNNING


def test_of_a_row_each_node_answers_for_its_own_seats_and_stops_all(setup: Setup) -> None:
    setup.give("stop", "feed", passes_on=False)
    setup.node.tell(SeatsStopped([[JOB_ID, 0], [JOB_ID, 1]], "ann"))
    setup.node.end(setup.slot, code=0)
    setup.node.turn()

    assert setup.node.said(StopSeats) == [StopSeats([[JOB_ID, 0], [JOB_ID, 1]], "ann")]
    assert list(setup.slots()) == ["feed:0"]


# what other nodes run


def test_a_restart_is_passed_on_to_the_node_that_has_the_seat(setup: Setup) -> None:
    before = setup.node.child_in(setup.slot).pid
    setup.give("restart", "feed")
    assert setup.node.said(PassOn) == [PassOn("restart", [[JOB_ID, 1]], "ann")]
    setup.node.tell(PassedOn("restart", [[JOB_ID, 1, "web@b"]]))
    setup.node.end_child(setup.slot, code=0)
    setup.node.settle()

    assert setup.node.child_in(setup.slot).pid != before
    assert setup.slots()["feed:1"] == (True, "passed on to web@b, which has it")
    assert setup.slots()["feed:0"][0]


def test_a_seat_that_nobody_holds_is_said(setup: Setup) -> None:
    setup.give("dump", "feed:1")
    setup.node.tell(PassedOn("dump", [[JOB_ID, 1, ""]]))

    assert setup.slots() == {"feed:1": (False, ON_B)}


def test_an_order_of_a_row_is_not_passed_on_as_each_node_was_given_it(setup: Setup) -> None:
    setup.give("restart", "feed", passes_on=False)
    setup.give("restart", "feed:1", passes_on=False)

    assert setup.node.said(PassOn) == []
    assert [list(answer["slots"]) for answer in setup.answers] == [[{"slot": "feed:1", "ok": False, "text": ON_B}]]


def test_an_order_for_every_slot_passes_over_what_other_nodes_have(setup: Setup) -> None:
    setup.give("dump")

    assert setup.node.said(PassOn) == []
    assert setup.node.parts.ledger.slot.wanted


@pytest.mark.parametrize("verb", ["stop", "start"])
def test_an_order_for_every_slot_of_this_node_changes_nothing_in_the_fleet(setup: Setup, verb: str) -> None:
    setup.give(verb)

    assert setup.node.said(StopSeats) == []
    assert (setup.slot.state, [answer["ok"] for answer in setup.answers]) == (State.RUNNING, [True])


def test_a_resume_lets_this_node_try_again_what_it_has_declined(setup: Setup) -> None:
    spec = setup.slot.spec
    setup.node.tell(JobRefused(spec.to_dict(), "no such module"))
    setup.node.turn()
    declined = setup.node.parts.fleet.seats.why_declined(setup.slot)
    setup.give("resume", "feed:0")

    assert declined
    assert setup.slots()["feed:0"] == (True, "this node may run it again")


# move


def test_a_moved_seat_is_released_when_its_process_has_ended(setup: Setup) -> None:
    setup.give("move", "feed:0", passes_on=False)
    assert (setup.slot.state, setup.answers) == (State.STOPPING, [])
    setup.node.end(setup.slot, code=0)
    setup.node.turn()

    assert setup.node.said(SeatReleased) == [SeatReleased(JOB_ID, 0, setup.node.token)]
    assert setup.slots()["feed:0"][0]


# drain


class Drain:
    """Drains a node that has three seats, and keeps the answers."""

    def __init__(self, node: FleetNode, seats: int = 3) -> None:
        self.node, self.drain = node, node.parts.drain
        node.begin(processes=3)
        node.hold(*range(seats))
        node.parts.loop.at_turn_end(self.drain.go_on)
        self.answers: list[dict[str, Any]] = []

    def ask(self, way: str = "") -> None:
        self.drain.ask(self.answers.append, way, "ann")
        self.node.turn()

    def states(self) -> list[State]:
        return [self.node.slot("feed", index).state for index in range(3)]

    def move(self, index: int) -> None:
        """Have the process of a seat end, and another node take it."""
        self.node.end(self.node.slot("feed", index), code=0)
        self.node.tell(SeatsElsewhere([[JOB_ID, index, ON_B, Elsewhere.HELD]]))
        self.node.turn()


@pytest.fixture
def drain(tmp_path: Path) -> Iterator[Drain]:
    node = FleetNode(tmp_path)
    yield Drain(node)
    node.close()


def test_a_drain_is_weighed_first_and_refused_where_a_job_would_stop(drain: Drain) -> None:
    drain.ask("now")
    asked = drain.node.said(WeighDrain)
    drain.node.tell(DrainWeighed("web@a is the last node that may run feed"))

    assert asked == [WeighDrain()]
    assert drain.answers == [{"ok": False, "error": "web@a is the last node that may run feed"}]
    assert drain.states() == [State.RUNNING] * 3
    assert drain.drain.account == ""


def test_the_seats_go_a_few_at_a_time_each_once_the_one_before_has_a_node(drain: Drain) -> None:
    drain.ask("now")
    drain.node.tell(DrainWeighed(""))
    drain.node.turn()
    first = drain.states()
    drain.node.end(drain.node.slot("feed", 0), code=0)
    drain.node.turn()
    released = drain.states()
    drain.node.tell(SeatsElsewhere([[JOB_ID, 0, ON_B, Elsewhere.HELD]]))
    drain.node.turn()

    assert first == [State.STOPPING, State.RUNNING, State.RUNNING]
    assert released == [State.STOPPED, State.RUNNING, State.RUNNING], "nobody has the first one yet"
    assert drain.states() == [State.STOPPED, State.STOPPING, State.RUNNING]


def test_it_is_answered_with_where_each_has_gone(drain: Drain) -> None:
    drain.ask("force")
    for index in range(3):
        assert drain.answers == []
        drain.move(index)

    [answer] = drain.answers
    assert answer["ok"]
    assert [(slot["slot"], str(slot["text"])) for slot in answer["slots"]] == [
        (f"feed:{index}", ON_B) for index in range(3)
    ]
    assert "drain --undo" in answer["note"]
    assert "no seat is left" in drain.drain.account


def test_what_no_node_takes_is_not_waited_for_and_fails_the_order(tmp_path: Path) -> None:
    node = FleetNode(tmp_path)
    drain = Drain(node, seats=1)
    drain.ask("force")
    node.end(node.slot("feed", 0), code=0)
    node.turn()
    node.pass_time(20.0)
    node.turn()
    node.close()

    [answer] = drain.answers
    assert (answer["ok"], [slot["ok"] for slot in answer["slots"]]) == (False, [False])


def test_without_an_answer_of_the_database_nothing_is_drained(drain: Drain) -> None:
    drain.ask()
    drain.node.pass_time(11.0)

    assert "--force" in drain.answers[0]["error"]
    assert drain.states() == [State.RUNNING] * 3


def test_a_node_without_a_seat_is_drained_at_once(tmp_path: Path) -> None:
    node = FleetNode(tmp_path)
    drain = Drain(node, seats=0)
    drain.ask()
    node.turn()
    node.close()

    assert [answer["ok"] for answer in drain.answers] == [True]
    assert "slots" not in drain.answers[0]


def test_the_ledger_claims_nothing_while_it_lasts_and_again_after_it(drain: Drain) -> None:
    drain.ask("force")
    drain.ask("undo")

    assert [message.draining for message in drain.node.said(Draining)] == [True, False]
    assert drain.answers[-1] == {"ok": True, "note": "this node takes seats again"}
    assert "undone by ann" in drain.answers[0]["error"]
    assert drain.states()[1:] == [State.RUNNING, State.RUNNING]


def test_a_way_that_there_is_not_is_refused(drain: Drain) -> None:
    drain.ask("sideways")

    assert "sideways" in drain.answers[0]["error"]

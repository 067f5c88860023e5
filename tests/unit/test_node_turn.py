"""The turn of a node to drain or reload, in a daemon's real parts: awaited, taken, used, left, lost."""

from pathlib import Path
from typing import Any

import pytest

from tests.harness.node import fleet_reload_of
from workerd.daemon.node.reloading import Reloading
from workerd.daemon.node.shutdown import Shutdown
from workerd.daemon.slots.rollout import PROOF_S
from workerd.wire.messages import (
    Alive,
    Draining,
    DrainWeighed,
    RolloutWanted,
    SeatNoted,
    SeatReleased,
    SeatRemembered,
    SeatsElsewhere,
    SeatSettled,
    SeatsHeld,
    WeighDrain,
)
from workerd.wire.rollout_seat import ROLLOUT
from workerd.wire.words import Elsewhere, State

from .test_seats import JOB_ID, F, FleetNode

ON_B = "another node has it: shop@web2, since 3 h"
ORDER = 1_700_000_000.25


class Story:
    """A node whose ledger tells it whose turn it is, and what it answers."""

    def __init__(self, folder: Path) -> None:
        self.node = FleetNode(folder)
        parts = self.node.parts
        parts.rollout.rows_are_judged = lambda: True
        for call in (parts.rollout.go_on, parts.drain.go_on):
            parts.loop.at_turn_end(call)
        self.seat = parts.fleet.rollout_seat
        self.reloading = Reloading(parts, Shutdown(parts))
        self.reload = fleet_reload_of(parts, self.reloading)
        self.answers: list[dict[str, Any]] = []
        self.token = 500

    def drain(self, way: str = "") -> None:
        self.node.parts.drain.ask(self.answers.append, way, "ann")
        self.node.turn()

    def ask(self, order: float = ORDER) -> None:
        self.reload.ask(self.answers.append, order)
        self.node.turn()

    def elsewhere(self) -> None:
        self.node.tell(SeatsElsewhere([[*ROLLOUT, ON_B, Elsewhere.HELD]]))

    def come(self, words: str = "", order: float | None = None) -> None:
        """Have the turn of this node come, after another one has left word of an ``order``."""
        self.token += 1
        self.node.tell(SeatRemembered(*ROLLOUT, self.token, words, None, order, None))
        self.node.pass_time(0.01)
        self.node.tell(SeatsHeld(self.node.clock.boot_now, [[*ROLLOUT, self.token, F]], False))

    def lose(self) -> None:
        self.node.pass_time(1.0)
        self.node.tell(SeatsHeld(self.node.clock.boot_now, [], True))

    def note(self) -> None:
        """Have the database take what the next holder is to know."""
        last = self.node.said(SeatSettled)[-1]
        self.node.tell(SeatNoted(*ROLLOUT, last.token, last.settled))

    def load(self, *, well: bool = True) -> None:
        """Have the code be loaded, and the ledger and every slot move to it; or have it be rejected."""
        if not well:
            self.node.forkserver.reject("SyntaxError")
            self.node.turn()
            return
        self.node.forkserver.become_ready()
        self.node.turn()
        self.node.end_child(self.node.parts.ledger.slot, code=0)
        self.node.settle()
        self.node.pass_time(PROOF_S)
        self.node.settle()

    def left(self) -> list[tuple[str, float | None]]:
        """Return what the next holder was to be told, in words and of which order."""
        return [(said.rule, said.due) for said in self.node.said(SeatSettled)]

    def released(self) -> list[int]:
        return [said.token for said in self.node.said(SeatReleased) if (said.job_id, said.index) == ROLLOUT]

    def events(self) -> list[str]:
        names = ("turn.awaited", "turn.taken", "turn.lost", "turn.released", "rollout.stopped")
        return [name for name in names for _ in self.node.lines.of(name)]


@pytest.fixture
def story(tmp_path: Path) -> Any:
    story = Story(tmp_path)
    yield story
    story.node.close()


@pytest.fixture
def draining(story: Story) -> Story:
    """A node with a seat to give away."""
    story.node.begin()
    story.node.hold(0)
    return story


@pytest.fixture
def reloading(story: Story) -> Story:
    """A node without jobs of the fleet."""
    story.node.start()
    return story


# drain


def test_a_drain_waits_for_its_turn_and_says_for_whom(draining: Story) -> None:
    draining.drain()
    draining.elsewhere()
    draining.node.pass_time(30.0)

    assert (draining.answers, draining.node.said(WeighDrain), draining.node.said(Draining)) == ([], [], [])
    assert draining.node.parts.drain.account == f"to be drained in this node's turn, as asked for by ann: {ON_B}"
    assert draining.node.lines.of("turn.awaited") == [{"reason": ON_B}]


def test_once_it_has_come_the_drain_is_weighed_and_done_and_the_turn_left(draining: Story) -> None:
    slot = draining.node.slot("feed")
    draining.drain()
    draining.come()
    assert draining.node.said(WeighDrain) == [WeighDrain()]
    draining.node.tell(DrainWeighed(""))
    draining.node.turn()
    assert (slot.state, draining.released()) == (State.STOPPING, [])
    draining.node.end(slot, code=0)
    draining.node.tell(SeatsElsewhere([[JOB_ID, 0, "another node has it: shop@web2", Elsewhere.HELD]]))
    draining.node.turn()

    assert [answer["ok"] for answer in draining.answers] == [True]
    assert draining.released() == [draining.token]
    assert [said.wanted for said in draining.node.said(RolloutWanted)][-1] is False


@pytest.mark.parametrize("end", ["refused", "undo"])
def test_a_drain_that_comes_to_nothing_leaves_its_turn(draining: Story, end: str) -> None:
    draining.drain()
    draining.come()
    if end == "undo":
        draining.drain("undo")
    else:
        draining.node.tell(DrainWeighed("shop@web1 is the last node that may run feed"))

    assert draining.released() == [draining.token]
    assert draining.node.slot("feed").state is State.RUNNING


def test_a_drain_at_once_asks_for_no_turn_and_is_weighed_all_the_same(draining: Story) -> None:
    draining.drain("now")

    assert (draining.node.said(RolloutWanted), draining.node.said(WeighDrain)) == ([], [WeighDrain()])


def test_a_forced_drain_overtakes_one_that_waits_for_its_turn(draining: Story) -> None:
    draining.drain()
    draining.elsewhere()
    draining.drain("force")

    assert draining.node.slot("feed").state is State.STOPPING


def test_a_database_that_does_not_answer_is_waited_for_no_longer_than_before(draining: Story) -> None:
    draining.drain()
    draining.node.pass_time(11.0)

    assert "--force" in draining.answers[0]["error"]
    assert [said.wanted for said in draining.node.said(RolloutWanted)][-1] is False


def test_a_drain_that_is_asked_for_anew_has_its_own_time(draining: Story) -> None:
    draining.drain()
    draining.node.pass_time(6.0)
    draining.drain("undo")
    draining.drain()
    draining.node.pass_time(6.0)

    assert len(draining.answers) == 2, "of the first one, and of its end"


# reload


def test_a_reload_in_the_nodes_turn_begins_when_the_database_knows_of_it(reloading: Story) -> None:
    reloading.ask()
    reloading.elsewhere()
    assert reloading.reloading.account == f"to be loaded anew in this node's turn: {ON_B}"
    reloading.come()
    assert len(reloading.node.forkservers) == 1
    reloading.note()

    assert len(reloading.node.forkservers) == 2
    assert reloading.left() == [("shop@web1 has not brought its reload to an end", ORDER)]


def test_the_turn_is_left_once_the_database_knows_that_it_ended_well(reloading: Story) -> None:
    reloading.ask()
    reloading.come()
    reloading.note()
    reloading.load()
    assert [answer["ok"] for answer in reloading.answers] == [True]
    assert (reloading.left()[-1], reloading.released()) == (("", None), [])
    reloading.note()

    assert reloading.released() == [reloading.token]


def test_code_that_is_rejected_is_what_the_next_node_is_told(reloading: Story) -> None:
    reloading.ask()
    reloading.come()
    reloading.note()
    reloading.load(well=False)
    reloading.note()

    assert [answer["ok"] for answer in reloading.answers] == [False]
    assert reloading.left()[-1] == ("shop@web1: the new generation was rejected", ORDER), "not the project's words"
    assert reloading.released() == [reloading.token]


def test_after_a_node_of_the_same_order_that_went_wrong_the_code_stays(reloading: Story) -> None:
    reloading.ask()
    reloading.come("shop@web2: the move to generation 2 is halted", ORDER)

    [answer] = reloading.answers
    assert (answer["ok"], "shop@web2: the move to generation 2 is halted" in answer["error"]) == (False, True)
    assert len(reloading.node.forkservers) == 1
    assert reloading.released() == [reloading.token]
    assert reloading.events() == ["turn.taken", "turn.released", "rollout.stopped"]
    assert "this node keeps its code" in reloading.reloading.account


def test_a_later_order_is_not_stopped_by_what_an_earlier_one_has_left(reloading: Story) -> None:
    reloading.ask(ORDER + 60.0)
    reloading.come("shop@web2: the move to generation 2 is halted", ORDER)
    reloading.note()

    assert len(reloading.node.forkservers) == 2


def test_a_turn_that_is_lost_before_it_is_noted_is_awaited_anew(reloading: Story) -> None:
    reloading.ask()
    reloading.come()
    reloading.lose()
    assert len(reloading.node.forkservers) == 1
    reloading.come()
    reloading.note()

    assert len(reloading.node.forkservers) == 2
    assert reloading.events().count("turn.lost") == 1


def test_a_turn_that_is_lost_in_the_middle_does_not_stop_the_reload(reloading: Story) -> None:
    reloading.ask()
    reloading.come()
    reloading.note()
    reloading.lose()
    reloading.load()

    assert [answer["ok"] for answer in reloading.answers] == [True]


def test_an_order_in_the_middle_of_another_one_is_done_after_it(reloading: Story) -> None:
    reloading.ask()
    reloading.come()
    reloading.note()
    reloading.ask(ORDER + 1.0)
    reloading.load()
    reloading.note()
    assert len(reloading.answers) == 1
    reloading.come()
    reloading.note()

    assert len(reloading.node.forkservers) == 3


# at any time


def test_who_waits_is_told_when_the_daemon_stops_and_the_seat_is_left(reloading: Story) -> None:
    reloading.ask()
    reloading.node.parts.fleet.drain("the daemon is shutting down")

    assert [answer["ok"] for answer in reloading.answers] == [False]
    assert [said.wanted for said in reloading.node.said(RolloutWanted)][-1] is False


def test_a_holder_says_that_it_turns_and_what_it_wants_each_second_and_nothing_after_that(reloading: Story) -> None:
    reloading.node.pass_time(3.0)
    assert reloading.node.said(Alive) == []
    reloading.ask()
    reloading.come()
    reloading.node.pass_time(3.0)
    assert len(reloading.node.said(Alive)) >= 3
    assert len(reloading.node.said(RolloutWanted)) >= 3
    reloading.note()
    reloading.load()
    reloading.note()
    before = reloading.node.said(Alive)
    reloading.node.pass_time(5.0)

    assert reloading.node.said(Alive) == before


def test_a_turn_that_a_ledger_brings_after_it_was_left_is_given_back(reloading: Story) -> None:
    reloading.come()

    assert reloading.released() == [reloading.token]


def test_two_activities_of_a_node_share_its_turn(reloading: Story) -> None:
    came: list[str] = []
    for who in ("drain", "reload"):
        reloading.seat.ask(who, lambda who=who: came.append(who))  # type: ignore[misc]
    reloading.come()
    reloading.seat.leave("drain")
    assert (came, reloading.released()) == (["drain", "reload"], [])
    reloading.seat.leave("reload")

    assert reloading.released() == [reloading.token]

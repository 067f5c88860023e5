"""The due moments of a scheduled seat: noted before a run, taken over from the holder before, left to the next one."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.test_seats import JOB_ID, F, FleetNode
from workerd.daemon.rules.dues import BEFORE_S
from workerd.daemon.slots.due_reasons import SILENT, UNRENEWED
from workerd.daemon.slots.due_records import NOTES_FIRST
from workerd.daemon.slots.rows import rule_text
from workerd.daemon.slots.slot import LiveSlot
from workerd.wire.lease import hold_time
from workerd.wire.messages import (
    DatabaseConnected,
    DatabaseLost,
    Message,
    SeatNoted,
    SeatReleased,
    SeatRemembered,
    SeatSettled,
    SeatsHeld,
)
from workerd.wire.words import Before, Restart, State, Trigger

MINUTELY: dict[str, Any] = {
    "schedule": "every 1 min", "time_zone": "UTC", "restart": Restart.ON_FAILURE, "max_restarts": 0,
    "start_grace": 0.1, "start_within": 600.0,
}  # fmt: skip
FIRST = 1_700_000_040.0
"""The clock of the tests is 20 s past a minute at first."""


class DueNode(FleetNode):
    """A node of the fleet whose job is due each minute."""

    def begin_due(self, **fields: Any) -> LiveSlot:
        slot = self.begin(**{**MINUTELY, **fields})
        self.tell(DatabaseConnected("postgresql", "15"))
        return slot

    def wait(self, seconds: float, *held: int) -> None:
        """Let time pass in which the ledger lives, and renews its seats each second."""
        for _ in range(int(seconds)):
            self.pass_time(1.0)
            self.ledger.page.beat()
            self.hold(*held)

    def note(self) -> None:
        """Have the ledger write what it was told of the seat last."""
        told = self.said(SeatSettled)[-1]
        self.tell(SeatNoted(told.job_id, told.index, told.token, told.settled))
        self.settle()

    def remember(self, slot: LiveSlot, settled: float | None, due: float | None = None) -> None:
        self.tell(SeatRemembered(JOB_ID, 0, self.token, rule_text(slot.spec), settled, due, None))

    def said_any(self, *kinds: type[Message]) -> list[Message]:
        self.said(Message)
        return [message for message in self.ledger.messages if isinstance(message, kinds)]

    @property
    def missed(self) -> list[float]:
        return [event["due"] for event in self.lines.of("job.missed")]


@pytest.fixture
def node(tmp_path: Path) -> Iterator[DueNode]:
    node = DueNode(tmp_path)
    yield node
    node.close()


def begun(slot: LiveSlot) -> tuple[float | None, str]:
    assert slot.child is not None
    return slot.child.due, slot.child.trigger


def test_a_run_begins_once_the_seats_row_has_its_time(node: DueNode) -> None:
    slot = node.begin_due()
    node.hold(0)
    node.wait(45, 0)
    assert (slot.state, slot.reason) == (State.STARTING, NOTES_FIRST)
    assert node.said(SeatSettled)[-1].settled == FIRST - BEFORE_S
    node.note()

    assert begun(slot) == (FIRST, Trigger.SCHEDULE)


@pytest.mark.parametrize(
    ("taken_from", "before", "reason"),
    [
        ("web@node2", [Before.SILENT], f"web@node2, which had its seat, {SILENT}"),
        ("", [Before.FREE], "no node ran it: its seat was free, or was being given up"),
        ("", [Before.OURS], "the daemon was not running"),
        ("", [], "this node did not have its seat"),  # the answer to the claim was lost
    ],
)
def test_a_moment_before_the_seat_was_taken_says_how_that_stood(
    node: DueNode, taken_from: str, before: list[str], reason: str
) -> None:
    slot = node.begin_due(start_within=1.0)
    node.remember(slot, settled=FIRST - 180)
    node.tell(SeatsHeld(node.clock.boot_now, [[JOB_ID, 0, node.token, F, taken_from, *before]], whole=False))
    node.settle()

    assert [event["reason"] for event in node.lines.of("job.missed")] == [reason]


def test_a_moment_that_came_while_the_seat_could_not_be_renewed_says_so(node: DueNode) -> None:
    node.begin_due(start_within=1.0)
    node.hold(0)
    node.wait(1, 0)
    for _ in range(int(hold_time(F)) + 60):
        node.pass_time(1.0)
        node.ledger.page.beat()
    node.hold(0)

    assert [event["reason"] for event in node.lines.of("job.missed")] == [UNRENEWED]


@pytest.mark.parametrize("restart", [Restart.NEVER, Restart.ON_FAILURE])
def test_with_the_database_out_it_begins_while_the_seat_is_held(node: DueNode, restart: Restart) -> None:
    slot = node.begin_due(restart=restart)
    node.hold(0)
    node.wait(35, 0)
    node.tell(DatabaseLost("it is out"))
    node.pass_time(7.0)
    node.acknowledge()
    node.settle()

    assert begun(slot) == (FIRST, Trigger.SCHEDULE)


def test_what_the_holder_before_left_is_made_up_for(node: DueNode) -> None:
    slot = node.begin_due()
    node.remember(slot, settled=FIRST - 180)
    node.hold(0)
    node.wait(1, 0)
    node.note()

    assert begun(slot) == (FIRST - 60, Trigger.CATCH_UP)
    assert len(node.missed) == 1, "the one before it"


def test_a_run_that_the_holder_before_has_not_ended_begins_anew(node: DueNode) -> None:
    slot = node.begin_due()
    node.remember(slot, settled=FIRST - 60, due=FIRST - 60)
    node.hold(0)
    node.wait(1, 0)
    node.note()

    assert begun(slot) == (FIRST - 60, Trigger.CATCH_UP)


def test_what_the_holder_before_brought_to_an_end_does_not_run_again(node: DueNode) -> None:
    slot = node.begin_due()
    node.remember(slot, settled=FIRST - 60)
    node.hold(0)
    node.wait(5, 0)

    assert slot.is_resting
    assert node.missed == []


def test_a_seat_that_was_stopped_begins_anew(node: DueNode) -> None:
    slot = node.begin_due()
    node.remember(slot, settled=None)
    node.hold(0)
    node.wait(5, 0)

    assert slot.is_resting
    assert node.missed == []


def test_a_lost_seat_leaves_its_moments_to_the_next_holder(node: DueNode) -> None:
    slot = node.begin_due()
    node.hold(0)
    node.wait(45, 0)
    node.pass_time(1.0)
    node.hold()

    assert slot.state is State.STOPPED
    assert node.missed == []
    assert slot.dues is not None
    assert slot.dues.left is not None
    assert slot.dues.left.settled is not None
    assert slot.dues.left.settled < FIRST


@pytest.mark.parametrize("seconds", [5, 45], ids=["it rests", "a moment waits for its start"])
def test_a_daemon_that_stood_still_accounts_for_nothing_of_a_seat_that_others_may_have(
    node: DueNode, seconds: int
) -> None:
    slot = node.begin_due(start_within=10.0)
    node.hold(0)
    node.wait(seconds, 0)
    node.stand_still(3 * F)

    assert slot.state is State.STOPPED
    assert node.missed == []
    assert slot.dues is not None
    assert slot.dues.left is not None
    assert slot.dues.left.settled is not None
    assert slot.dues.left.settled < FIRST


def test_a_renewal_that_is_read_after_its_end_gives_no_seat_back(node: DueNode) -> None:
    slot = node.begin_due(start_within=1.0)
    node.hold(0)
    node.wait(5, 0)
    sent = node.clock.boot_now + 1
    node.clock.advance(3 * F)
    node.hold(0, sent=sent)

    assert slot.state is State.STOPPED
    assert node.missed == []


def test_a_moment_that_its_node_did_not_live_to_run_for_is_the_next_holders(node: DueNode) -> None:
    slot = node.begin_due()
    node.hold(0)
    node.wait(45, 0)
    told = node.said(SeatSettled)[-1]

    assert slot.reason == NOTES_FIRST
    assert (told.settled, told.due) == (FIRST - BEFORE_S, FIRST)
    node.note()
    node.settle()
    begins = node.said(SeatSettled)[-1]
    assert (begins.settled, begins.due) == (FIRST, FIRST)


def test_a_seat_that_rests_is_kept_until_its_deadline_and_comes_back_with_a_renewal(node: DueNode) -> None:
    slot = node.begin_due()
    node.hold(0)
    node.wait(1, 0)
    node.pass_time(hold_time(F) - 0.2)
    kept = slot.state
    node.pass_time(0.4)
    given_up = slot.state
    node.hold(0)

    assert (kept, given_up, slot.state) == (State.WAITING, State.STOPPED, State.WAITING)
    assert slot.dues is not None
    assert slot.dues.next == FIRST


def test_a_seat_that_comes_back_makes_up_for_what_came_due_meanwhile(node: DueNode) -> None:
    slot = node.begin_due()
    node.hold(0)
    node.wait(5, 0)
    node.wait(60)
    node.token += 1
    node.remember(slot, settled=FIRST - 20)
    node.hold(0)
    node.wait(1, 0)
    node.note()

    assert begun(slot) == (FIRST, Trigger.CATCH_UP)


def test_where_a_seat_stands_is_told_before_it_is_released(node: DueNode) -> None:
    node.begin_due()
    node.hold(0)
    node.wait(45, 0)
    node.note()
    slot = node.slot("feed")
    assert slot.is_running
    node.parts.fleet.drain("the node is drained")
    node.end(slot, code=0)

    told = node.said_any(SeatSettled, SeatReleased)
    assert [type(message) for message in told[-2:]] == [SeatSettled, SeatReleased]
    last = told[-2]
    assert isinstance(last, SeatSettled)
    assert last.settled == FIRST


def test_an_edit_of_the_schedule_makes_up_for_nothing_of_the_old_one(node: DueNode) -> None:
    slot = node.begin_due()
    node.remember(slot, settled=FIRST - 600)
    node.add_job("feed", id=JOB_ID, scope="fleet", **{**MINUTELY, "schedule": "every 2 min"})
    node.hold(0)
    node.wait(2, 0)

    assert slot.is_resting
    assert node.missed == []


def test_a_new_ledger_is_told_again(node: DueNode) -> None:
    node.begin_due()
    node.hold(0)
    node.wait(2, 0)
    before = len(node.said(SeatSettled))
    assert before >= 1
    assert F > 0
    node.parts.fleet._dues.tell_all()

    assert len(node.said(SeatSettled)) == before + 1

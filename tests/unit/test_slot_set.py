"""Rows in: each edit does to each slot what it names and nothing else; rows out: each changed slot once."""

from typing import Any

import pytest

from tests.harness.fakes import FakeClock, Recorder, loop_of, recording_log
from workerd.daemon.rules.facts import Effect, Fact
from workerd.daemon.slots.lifecycle import Lifecycle
from workerd.daemon.slots.slot import LiveSlot
from workerd.daemon.slots.slot_set import SlotSet
from workerd.wire.spec import JobSpec
from workerd.wire.words import State

JOB = JobSpec("feed", target="shop.jobs.feed", processes=2)


class Setup:
    """A set of slots whose effects are only noted."""

    def __init__(self) -> None:
        self.records = Recorder()
        self.done: list[tuple[Effect, str]] = []
        self.clock = FakeClock()
        loop = self.loop = loop_of(self.clock)
        self.lifecycle = Lifecycle(loop, recording_log()[0])
        self.slot_set = SlotSet(loop, self.records, self.lifecycle)  # type: ignore[arg-type]
        self.lifecycle.effects.update({effect: self._note(effect) for effect in Effect})
        self.lifecycle.effects[Effect.QUEUE] = lambda slot: self.lifecycle.apply(slot, Fact.TURN_CAME)
        for effect in (Effect.FORGIVE, Effect.LEAVE_LINE, Effect.NOTE_STARTED, Effect.SAY_READY):
            self.lifecycle.effects[effect] = lambda _: None
        for effect in (Effect.EXPLAIN, Effect.SAY_PARKED, Effect.SAY_RESUMED):
            self.lifecycle.effects[effect] = lambda _: None

    def _note(self, effect: Effect) -> Any:
        return lambda slot: self.done.append((effect, f"{slot.spec.name}:{slot.index}"))

    def apply(self, spec: JobSpec | None, problem: str = "", **changes: Any) -> None:
        self.done.clear()
        self.slot_set.apply("feed", spec._replace(**changes) if spec else None, problem)

    def slot(self, index: int = 0) -> LiveSlot:
        return next(slot for slot in self.slot_set.job_slots() if slot.index == index)

    @property
    def states(self) -> list[State]:
        return [slot.state for slot in self.slot_set.job_slots()]

    def rows(self) -> list[tuple[str, str, bool]]:
        """Return what was recorded since: kind, key, and whether there is a row."""
        self.slot_set.write_rows()
        calls, self.records.calls = self.records.calls, []
        return [(kind, key, row is not None) for _, kind, key, row in calls]


@pytest.fixture
def setup() -> Setup:
    setup = Setup()
    setup.apply(JOB)
    return setup


def test_a_new_row_asks_for_a_child_a_slot(setup: Setup) -> None:
    assert setup.done == [(Effect.BEAR, "feed:0"), (Effect.BEAR, "feed:1")]


def test_more_processes_ask_only_for_the_new_ones(setup: Setup) -> None:
    setup.apply(JOB, processes=4)

    assert setup.done == [(Effect.BEAR, "feed:2"), (Effect.BEAR, "feed:3")]


def test_fewer_processes_end_only_the_last(setup: Setup) -> None:
    setup.apply(JOB, processes=1)

    assert setup.done == [(Effect.CLEAR_DUES, "feed:1"), (Effect.WITHDRAW, "feed:1")]
    assert len(setup.states) == 1


def test_a_disabled_row_stops_its_slots_and_keeps_them(setup: Setup) -> None:
    setup.apply(JOB, enabled=False)

    assert setup.states == [State.STOPPED, State.STOPPED]


def test_a_row_that_is_gone_takes_its_slots_along(setup: Setup) -> None:
    setup.rows()
    setup.apply(None)

    assert setup.states == []
    assert setup.rows() == [("slot", "feed\n0", False), ("slot", "feed\n1", False)]


def test_a_slot_that_changed_often_in_a_turn_is_recorded_once(setup: Setup) -> None:
    setup.apply(JOB, max_age=5.0)
    setup.apply(JOB, max_age=6.0)

    assert setup.rows() == [("slot", "feed\n0", True), ("slot", "feed\n1", True)]


def test_a_heartbeat_limit_counts_from_when_it_is_set(setup: Setup) -> None:
    """Another edit of the row gives no new time."""
    moments = []
    for timeout, age in ((None, 5.0), (5.0, 5.0), (5.0, 6.0), (None, 6.0)):
        setup.clock.advance(10)
        setup.apply(JOB, heartbeat_timeout=timeout, max_age=age)
        moments.append(setup.slot().limit_since == setup.clock.now)

    assert moments == [False, True, False, True]


def test_a_row_that_cannot_run_parks_and_is_tried_again_when_it_is_put_right(setup: Setup) -> None:
    setup.apply(JOB, enabled=False)
    setup.apply(JOB, "shop.jobs.feed is not allowed")
    parked = setup.states
    setup.apply(JOB)

    assert parked == [State.PARKED, State.PARKED]
    assert setup.states == [State.STARTING, State.STARTING]


def test_a_row_may_be_put_right_and_grow_at_once(setup: Setup) -> None:
    setup.apply(JOB, "it is not allowed", processes=0)
    setup.apply(JOB, processes=3)

    assert setup.states == [State.STARTING] * 3


def test_a_hold_outlives_an_edit(setup: Setup) -> None:
    for slot in setup.slot_set.job_slots():
        slot.held = True
        setup.lifecycle.want(slot, False)
    setup.apply(JOB, max_age=5.0)

    assert setup.states == [State.STOPPED, State.STOPPED]


def test_a_change_of_enabled_ends_a_hold(setup: Setup) -> None:
    slot = setup.slot()
    slot.held = True
    setup.lifecycle.want(slot, False)
    setup.apply(JOB, enabled=False)
    setup.apply(JOB)

    assert setup.states == [State.STARTING, State.STARTING]


def test_what_is_added_to_a_job_on_hold_waits_too(setup: Setup) -> None:
    for slot in setup.slot_set.job_slots():
        slot.held = True
        setup.lifecycle.want(slot, False)
    setup.apply(JOB, processes=3)

    assert setup.states == [State.STOPPED] * 3


def test_our_own_slots_have_no_rows(setup: Setup) -> None:
    setup.rows()
    setup.slot_set.add_builtin(JobSpec("workerd.ledger"))

    assert setup.rows() == []
    assert len(list(setup.slot_set.slots())) == 3
    assert len(list(setup.slot_set.job_slots())) == 2


def test_while_the_daemon_ends_no_row_starts_anything(setup: Setup) -> None:
    """A first picture of the rows may come after TERM, and an edit at any time."""
    setup.lifecycle.stopping = "SIGTERM"
    for slot in setup.slot_set.job_slots():
        setup.lifecycle.want(slot, False)
    setup.apply(JOB, processes=3)
    setup.apply(JOB, processes=3, target="shop.jobs.other")

    assert setup.states == [State.STOPPED] * 3


def test_while_the_daemon_ends_its_own_slots_go_on(setup: Setup) -> None:
    setup.lifecycle.stopping = "SIGTERM"

    assert setup.slot_set.add_builtin(JobSpec("workerd.ledger")).state is State.STARTING


def test_of_many_changed_slots_a_turn_records_its_share_and_the_next_ones_the_rest(setup: Setup) -> None:
    setup.rows()
    setup.apply(JOB, processes=30)
    recorded: list[str] = []

    class SlowRecords:
        def add(self, _kind: str, key: str, _row: Any) -> None:
            setup.clock.advance(0.004)
            recorded.append(key)

    setup.slot_set._records = SlowRecords()  # type: ignore[assignment]
    setup.loop.at_turn_end(setup.slot_set.write_share)
    shares: list[int] = []
    while len(recorded) < 30:
        before = len(recorded)
        assert setup.loop._patience() == 0 or not shares, "the rest waits for something to happen"
        setup.loop.call_soon(lambda: None)
        setup.loop.turn()
        shares.append(len(recorded) - before)

    assert max(shares) == 3
    assert len(set(recorded)) == len(recorded) == 30

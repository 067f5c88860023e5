"""Any story of rows, orders, births and ends: table, effects, policy, plan and pacing together never lose a slot."""

import signal
from collections import Counter
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.harness.fakes import turn
from tests.harness.properties import examples
from tests.harness.slots import PLACES, Slots
from workerd.daemon.processes.births import BIRTH_TIMEOUT_S
from workerd.daemon.rules.dues import Due
from workerd.daemon.rules.facts import Effect, Fact
from workerd.daemon.rules.outcome import ExitStatus
from workerd.daemon.slots.rows import iso_utc
from workerd.daemon.slots.slot import LiveSlot, slot_of
from workerd.daemon.slots.waiting import explain
from workerd.wire.messages import BecameReady, Loaded, RecycleAsked, Refused
from workerd.wire.spec import JobSpec
from workerd.wire.words import ALIVE, Overlap, Restart, State, Trigger

JOBS = ["feed", "mail"]
TELL_WHY = ["child.stopping", "child.resumed", "child.parked", "child.restart_scheduled", "child.exited"]
QUIET = {State.RUNNING, State.DONE, State.PARKED}

specs = st.fixed_dictionaries(
    {
        "processes": st.integers(0, 3),
        "enabled": st.booleans(),
        "target": st.sampled_from(["shop.jobs.one", "shop.jobs.two"]),
        "restart": st.sampled_from(Restart),
        "backoff_initial": st.sampled_from([0.0, 0.5]),
        "max_restarts": st.sampled_from([None, 0, 2]),
        "signals_ready": st.booleans(),
        "max_age": st.sampled_from([None, 60.0]),
        "schedule": st.sampled_from(["", "", "every 10 s", "every 1 min", "at 2023-11-14 22:15"]),
        "time_zone": st.just("UTC"),
        "start_within": st.sampled_from([0.0, 5.0, 600.0]),
        "overlap": st.sampled_from(Overlap),
        "spread": st.sampled_from([0.0, 4.0]),
    }
)
picks = st.integers(0, 20)
exits = st.sampled_from(
    [ExitStatus(code=0), ExitStatus(code=1), ExitStatus(code=75), ExitStatus(code=78), ExitStatus(signal=9)]
)


def open_dues(slot: LiveSlot) -> list[Due]:
    """Return the moments that the slot has taken or remembered, and not begun to run for."""
    dues = slot.dues
    if dues is None:
        return []
    return [due for due in (None if dues.begun else dues.taken, dues.remembered) if due is not None]


def place(slot: str) -> str:
    """Return a name that stays the same when the row wants one process or more."""
    return slot if ":" in slot else f"{slot}:0"


class World(Slots, RuleBasedStateMachine):
    """The daemon's slots and births, whole, in a story."""

    def __init__(self) -> None:
        RuleBasedStateMachine.__init__(self)
        Slots.__init__(self)
        self.announced: dict[LiveSlot, State] = {}
        self.lifecycle.on_entered.add(self._entered)
        self.effects.on_licensed.add(self._licensed)
        self.begun: Counter[tuple[str, str]] = Counter()
        """How often a run was begun for a due moment, but for those that try it again."""
        self.due: dict[LiveSlot, float] = {}
        self._forgive, self.lifecycle.effects[Effect.FORGIVE] = self.lifecycle.effects[Effect.FORGIVE], self._forgiven

    # what is noticed

    def _entered(self, slot: LiveSlot) -> None:
        assert self.announced.get(slot, State.STOPPED) is not slot.state, f"{slot.state} was announced twice"
        self.announced[slot] = slot.state
        if slot.state is State.BACKOFF:
            self.due[slot] = self.clock.now + slot.decision.delay
        if slot.state is State.STARTING:
            assert self.clock.now >= self.due.pop(slot, 0.0), "a restart before its time"

    def _licensed(self, slot: LiveSlot) -> None:
        child = slot.child
        if child is not None and child.due is not None and child.trigger != Trigger.RETRY:
            self.begun[place(slot.name), iso_utc(child.due)] += 1

    def _forgiven(self, slot: LiveSlot) -> None:
        self.due.pop(slot, None)
        self._forgive(slot)

    # what people do

    @rule(name=st.sampled_from(JOBS), values=specs, problem=st.sampled_from(["", "", "no such target"]))
    def edit(self, name: str, values: dict[str, Any], problem: str) -> None:
        self.slot_set.apply(name, JobSpec(name, **values), problem)

    @rule(name=st.sampled_from(JOBS))
    def delete(self, name: str) -> None:
        self.slot_set.apply(name, None)

    @precondition(lambda self: self.slots)
    @rule(pick=picks, fact=st.sampled_from([Fact.START_ASKED, Fact.RESTART_ASKED, Fact.RESUMED]))
    def order(self, pick: int, fact: Fact) -> None:
        slot = self.slots[pick % len(self.slots)]
        if slot.wanted:
            self.lifecycle.apply(slot, fact, cause="ordered by ada")

    @precondition(lambda self: self.slots)
    @rule(pick=picks, held=st.booleans())
    def hold(self, pick: int, held: bool) -> None:
        slot = self.slots[pick % len(self.slots)]
        if not slot.doomed:
            slot.held = held
            self.lifecycle.want(slot, slot.spec.enabled and not held, f"{'stopped' if held else 'started'} by ada")

    # what happens

    @precondition(lambda self: self.awaited)
    @rule(pick=picks, comes=st.booleans())
    def birth(self, pick: int, comes: bool) -> None:
        child = self.awaited[pick % len(self.awaited)]
        if comes:
            self.server.give_birth(child)
        else:
            self.generations.on_birth_failed(child.birth, "a transaction is open")
        turn(self.loop)

    @rule()
    def have_spares(self) -> None:
        self.births.replenish()

    @rule(there=st.booleans())
    def forkserver(self, there: bool) -> None:
        was, self.generations.current = self.generations.current, self.server if there else None
        if there and was is None:
            self.generations.on_ready(False)

    @precondition(lambda self: self.children)
    @rule(pick=picks, message=st.sampled_from([Loaded(), Loaded(), BecameReady(), RecycleAsked(), Refused("no")]))
    def say(self, pick: int, message: Any) -> None:
        child = self.children[pick % len(self.children)]
        if isinstance(message, Loaded) and child.loaded:
            return  # a child says it once
        if isinstance(message, BecameReady) and not child.loaded:
            return  # no context before the job is loaded
        self.server.say(child, message)
        turn(self.loop)

    @precondition(lambda self: self.running)
    @rule(pick=picks, hung=st.booleans())
    def find_fault(self, pick: int, hung: bool) -> None:
        self.lifecycle.apply(self.running[pick % len(self.running)], Fact.DEADLINE_PASSED, hung=hung)

    @precondition(lambda self: self.slots)
    @rule(pick=picks)
    def end_lease(self, pick: int) -> None:
        slot = self.slots[pick % len(self.slots)]
        had = slot.child is not None
        self.lifecycle.apply(slot, Fact.LEASE_ENDED)

        assert not had or (slot.child is not None and slot.child.killed), "its seat may be another node's by now"

    @precondition(lambda self: self.births.children)
    @rule(pick=picks, end=exits)
    def exit(self, pick: int, end: ExitStatus) -> None:
        pids = sorted(self.births.children)
        self.exit_pid(pids[pick % len(pids)], end)

    @rule(seconds=st.sampled_from([0.05, 0.6, 2.0, 11.0, 70.0]))
    def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.alarm.look(self.clock.wall())
        turn(self.loop)

    @rule(seconds=st.sampled_from([-86_400.0, -600.0, -5.0, 30.0, 7200.0]))
    def set_clock(self, seconds: float) -> None:
        self.clock.wall_now += seconds
        self.alarm.call()
        turn(self.loop)

    # what holds at any time

    @invariant()
    def no_wanted_slot_is_forgotten(self) -> None:
        asked_for = {*self.births._expecting.values(), *self.births._waiting, *self.births._retries}
        for slot in self.slots:
            armed = slot.deadline is not None and slot.deadline.call is not None
            match slot.state:
                case State.STOPPED:
                    assert not slot.wanted
                case State.WAITING:
                    assert armed or slot in self.pacing._line or slot.is_resting
                case State.BACKOFF:
                    assert armed
                case State.STARTING:
                    assert slot in asked_for or (slot.child is not None and armed)
                case State.RUNNING:
                    assert slot.child is not None
                case State.STOPPING:
                    assert slot.child is not None
                    assert armed or slot.child.killed or slot.child.dumped

    @invariant()
    def no_state_but_running_is_without_a_reason(self) -> None:
        assert [slot.state for slot in self.slots if slot.state is not State.RUNNING and not explain(slot)] == []
        assert all(event["reason"] for name in TELL_WHY for event in self.lines.of(name))

    @invariant()
    def every_state_is_announced(self) -> None:
        assert all(self.announced.get(slot, State.STOPPED) is slot.state for slot in self.slots)

    @invariant()
    def what_is_not_wanted_is_gone_or_going(self) -> None:
        assert {slot.state for slot in self.slots if not slot.wanted} <= {State.STOPPED, State.STOPPING}

    @invariant()
    def no_slot_has_two_children(self) -> None:
        owners = [slot_of(child) for child in self.children]
        assert len(owners) == len(set(owners))
        assert all(slot.child is None or slot.child.licensed_at is not None for slot in self.slots)

    @invariant()
    def births_and_places_belong_to_starting_slots(self) -> None:
        slots = set(self.slots)
        asked_for = {slot for slot in self.births._expecting.values() if slot is not None}
        assert asked_for <= slots
        assert {slot.state for slot in (*asked_for, *self.pacing._loading)} <= {State.STARTING}
        assert {slot.state for slot in self.pacing._line} <= {State.WAITING}
        assert len(self.pacing._loading) <= PLACES
        assert set(self.pacing._loading) | set(self.pacing._line) <= slots

    @invariant()
    def there_are_exactly_the_slots_of_the_rows_and_those_that_end(self) -> None:
        rows = {(name, index) for name, spec in self.slot_set.specs.items() for index in range(spec.processes)}
        assert {(slot.spec.name, slot.index) for slot in self.slots if not slot.doomed} == rows
        assert all(slot.state in ALIVE for slot in self.slots if slot.doomed)

    @invariant()
    def nothing_impossible_was_told_and_no_budget_is_below_zero(self) -> None:
        assert self.lines.of("daemon.degraded") == []
        assert all(slot.history.failures >= 0 and slot.history.waits >= 0 for slot in self.slots)

    @invariant()
    def every_due_moment_comes_to_one_end(self) -> None:
        told = Counter((place(event["slot"]), event["due"]) for event in self.lines.of("job.due"))
        missed = Counter(
            (place(event["slot"]), event["due"])
            for event in self.lines.of("job.missed")
            if event["due"] == event["last"]
        )
        waiting = Counter((place(slot.name), iso_utc(due.moment)) for slot in self.slots for due in open_dues(slot))
        for key, times in told.items():
            assert self.begun[key] + missed[key] + waiting[key] == times, key

    @invariant()
    def what_rests_knows_its_time(self) -> None:
        resting = [slot for slot in self.slots if slot.is_resting]
        assert all(slot.dues is not None and slot.dues.next is not None for slot in resting)
        assert all(slot.next_start_wall == slot.dues.next for slot in resting if slot.dues is not None)

    def teardown(self) -> None:
        """Left alone, everything that is wanted comes to run, unless it is done or parked; the rest stops."""
        try:
            began = self.clock.now
            self.forkserver(there=True)
            for _ in range(30):
                self._help_along()
                self.pass_time(1.0 if self.awaited or self.children else BIRTH_TIMEOUT_S + 40.0)

            moving = [slot for slot in self.slots if slot.wanted and not slot.is_resting and slot.state not in QUIET]
            assert [slot.name for slot in moving if not slot.runs_at_times] == []
            assert [slot.name for slot in moving if slot.since < began] == [], "a due moment is stuck"
            assert {slot.state for slot in self.slots if not slot.wanted} <= {State.STOPPED}
        finally:
            self.close()

    def _help_along(self) -> None:
        """Have every birth come, every child load and be ready, and every child that was asked to go end."""
        while self.awaited:
            self.birth(0, comes=True)
        for child in self.children:
            for message in [Loaded()] * (not child.loaded) + [BecameReady()]:
                self.server.say(child, message)
                turn(self.loop)
        for slot in [slot for slot in self.slots if slot.state is State.STOPPING]:
            assert slot.child is not None
            assert slot.child.pid is not None
            self.exit_pid(slot.child.pid, ExitStatus(signal=signal.SIGTERM))


TestLifecycle = World.TestCase
TestLifecycle.settings = settings(max_examples=examples(40), stateful_step_count=40)

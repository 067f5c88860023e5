"""Any story of rows, orders, births and ends: table, policy, plan, pacing and fleet together never lose a slot."""

from dataclasses import dataclass, field
from random import Random
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.harness.fakes import FakeClock, Recorder, loop_of, recording_log, turn
from workerd.daemon.rules.facts import Effect, Fact
from workerd.daemon.rules.restart import EndedRun, decide
from workerd.daemon.slots.lifecycle import ALIVE, Lifecycle
from workerd.daemon.slots.pacing import Pacing
from workerd.daemon.slots.slot import LiveSlot
from workerd.daemon.slots.slot_set import SlotSet
from workerd.wire.spec import JobSpec
from workerd.wire.words import Outcome, Restart, State

PLACES = 2
JOBS = ["feed", "mail"]
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
    }
)
picks = st.integers(0, 20)


@dataclass(eq=False)
class FakeChild:
    """What the table looks at of a child."""

    slot: LiveSlot
    licensed_at: float | None = None
    ready_at: float | None = None
    loaded: bool = False
    asked: bool = False
    dumped: bool = False
    killed: bool = False
    page: Any = field(default_factory=Recorder)

    @property
    def identity(self) -> dict[str, Any]:
        return {"slot": self.slot.name}


class World(RuleBasedStateMachine):
    """Does effects by noting them; what happens to children is up to the story."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = FakeClock()
        self.loop = loop_of(self.clock)
        log, self.lines = recording_log()
        self.pacing = Pacing(lambda slot: self.lifecycle.turn_came(slot), PLACES)  # noqa: PLW0108 - made below
        self.slot_set = SlotSet(self.loop, Recorder())  # type: ignore[arg-type]
        self.lifecycle = Lifecycle(self.loop, log, self.pacing, self._changed)
        self.slot_set.lifecycle = self.lifecycle
        self.births: dict[LiveSlot, None] = {}
        self.due: dict[LiveSlot, float] = {}
        self.lifecycle.effects = {
            Effect.QUEUE: self.pacing.stand_in_line,
            Effect.BEAR: self._bear,
            Effect.WITHDRAW: lambda slot: self.births.pop(slot, None),
            Effect.LICENSE: lambda slot: self._mark(slot, "licensed_at", self.clock.now),
            Effect.TERMINATE: lambda slot: self._mark(slot, "asked", True),
            Effect.KILL: lambda slot: self._mark(slot, "killed", True),
            Effect.DUMP: self._dump,
            Effect.REPORT_UNKILLABLE: lambda _: None,
            Effect.ARM_START: lambda slot: self._arm(slot, slot.spec.start_timeout),
            Effect.ARM_GRACE: lambda slot: self._arm(slot, slot.spec.start_grace, Fact.BECAME_READY),
            Effect.ARM_STOP: lambda slot: self._arm(slot, slot.spec.stop_timeout),
            Effect.ARM_KILL: lambda slot: self._arm(slot, 5.0),
            Effect.ARM_DELAY: self._delay,
            Effect.FORGIVE: self._forgive,
        }

    # effects

    def _changed(self, slot: LiveSlot) -> None:
        child = slot.child
        if slot.state is State.RUNNING and child is not None and child.ready_at is None:
            child.ready_at = self.clock.now
        self.slot_set.note_change(slot)

    def _bear(self, slot: LiveSlot) -> None:
        assert slot.child is None, "a second child in a slot"
        assert slot not in self.births, "a second birth for a slot"
        assert self.clock.now >= self.due.pop(slot, 0.0), "a restart before its time"
        self.births[slot] = None

    def _mark(self, slot: LiveSlot, name: str, value: object) -> None:
        assert slot.child is not None, f"{name} without a child"
        setattr(slot.child, name, value)

    def _dump(self, slot: LiveSlot) -> None:
        self._mark(slot, "dumped", True)
        self._arm(slot, 0.05)

    def _arm(self, slot: LiveSlot, seconds: float, fact: Fact = Fact.DEADLINE_PASSED) -> None:
        slot.disarm()
        slot.deadline = self.loop.call_in(seconds, lambda: self.lifecycle.tell(slot, fact))

    def _delay(self, slot: LiveSlot) -> None:
        self.due[slot] = self.clock.now + slot.decision.delay
        self._arm(slot, slot.decision.delay)

    def _forgive(self, slot: LiveSlot) -> None:
        slot.history.forgive()
        self.due.pop(slot, None)

    # who there is

    @property
    def slots(self) -> list[LiveSlot]:
        return sorted(self.slot_set.job_slots(), key=lambda slot: (slot.spec.name, slot.index))

    @property
    def children(self) -> list[Any]:
        return [slot.child for slot in self.slots if slot.child is not None]

    # what people do

    @rule(name=st.sampled_from(JOBS), values=specs, problem=st.sampled_from(["", "", "no such target"]))
    def edit(self, name: str, values: dict[str, Any], problem: str) -> None:
        self.slot_set.apply(name, JobSpec(name, **values), problem)

    @rule(name=st.sampled_from(JOBS))
    def delete(self, name: str) -> None:
        self.slot_set.apply(name, None)

    @precondition(lambda self: self.slots)
    @rule(pick=picks, fact=st.sampled_from([Fact.RESTART_ASKED, Fact.RESUMED]))
    def order(self, pick: int, fact: Fact) -> None:
        slot = self.slots[pick % len(self.slots)]
        if slot.wanted:
            self.lifecycle.tell(slot, fact)

    @precondition(lambda self: self.slots)
    @rule(pick=picks, held=st.booleans())
    def hold(self, pick: int, held: bool) -> None:
        slot = self.slots[pick % len(self.slots)]
        if not slot.doomed:
            slot.held = held
            self.lifecycle.want(slot, slot.spec.enabled and not held)

    # what happens

    @precondition(lambda self: self.births)
    @rule(pick=picks, comes=st.booleans())
    def birth(self, pick: int, comes: bool) -> None:
        slot = list(self.births)[pick % len(self.births)]
        del self.births[slot]
        if comes:
            slot.child = FakeChild(slot)  # type: ignore[assignment]
            self.lifecycle.born(slot)
        else:
            self.lifecycle.tell(slot, Fact.BIRTH_FAILED)

    @precondition(lambda self: any(not child.loaded for child in self.children))
    @rule(pick=picks)
    def load(self, pick: int) -> None:
        fresh = [child for child in self.children if not child.loaded]
        child = fresh[pick % len(fresh)]
        child.loaded = True
        self.pacing.leave(child.slot)
        self.lifecycle.tell(child.slot, Fact.LOADED)

    @precondition(lambda self: any(child.loaded for child in self.children))
    @rule(pick=picks)
    def say_ready(self, pick: int) -> None:
        loaded = [child for child in self.children if child.loaded]
        self.lifecycle.tell(loaded[pick % len(loaded)].slot, Fact.BECAME_READY)

    @precondition(lambda self: any(slot.state is State.RUNNING for slot in self.slots))
    @rule(pick=picks, hung=st.booleans())
    def set_verdict(self, pick: int, hung: bool) -> None:
        running = [slot for slot in self.slots if slot.state is State.RUNNING]
        self.lifecycle.tell(running[pick % len(running)], Fact.DEADLINE_PASSED, hung=hung)

    @precondition(lambda self: self.children)
    @rule(
        pick=picks,
        outcome=st.sampled_from([Outcome.CRASHED, Outcome.FINISHED, Outcome.REFUSED, Outcome.RECYCLED, Outcome.HUNG]),
        code=st.sampled_from([None, 75]),
    )
    def exit(self, pick: int, outcome: Outcome, code: int | None) -> None:
        child = self.children[pick % len(self.children)]
        slot, ready_s = child.slot, None if child.ready_at is None else self.clock.now - child.ready_at
        end = EndedRun(outcome, asked=child.asked, exit_code=code, ready_s=ready_s)
        slot.decision = decide(slot.spec, slot.history, end, self.clock.now, Random(1))
        slot.child = None
        self.lifecycle.tell(slot, Fact.EXITED)

    @rule(seconds=st.sampled_from([0.05, 0.6, 2.0, 11.0, 70.0]))
    def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)
        turn(self.loop)

    # what holds at any time

    @invariant()
    def no_wanted_slot_is_forgotten(self) -> None:
        for slot in self.slots:
            armed = slot.deadline is not None and slot.deadline.call is not None
            match slot.state:
                case State.STOPPED:
                    assert not slot.wanted
                case State.WAITING:
                    assert armed or slot in self.pacing._line
                case State.BACKOFF:
                    assert armed
                case State.STARTING:
                    assert slot in self.births or (slot.child is not None and armed)
                case State.RUNNING:
                    assert slot.child is not None
                case State.STOPPING:
                    assert slot.child is not None
                    assert armed or slot.child.killed

    @invariant()
    def what_is_not_wanted_is_gone_or_going(self) -> None:
        assert {slot.state for slot in self.slots if not slot.wanted} <= {State.STOPPED, State.STOPPING}

    @invariant()
    def births_and_places_belong_to_starting_slots(self) -> None:
        slots = set(self.slots)
        assert set(self.births) <= slots
        assert {slot.state for slot in (*self.births, *self.pacing._loading)} <= {State.STARTING}
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

    def teardown(self) -> None:
        """Left alone, everything that is wanted comes to run, unless it is done or parked; the rest stops."""
        for _ in range(30):
            while self.births:
                self.birth(0, comes=True)
            for child in self.children:
                if not child.loaded:
                    self.load(0)
                self.lifecycle.tell(child.slot, Fact.BECAME_READY)
            for slot in [slot for slot in self.slots if slot.state is State.STOPPING]:
                slot.child = None
                self.lifecycle.tell(slot, Fact.EXITED)
            self.pass_time(1.0 if self.births or self.children else 70.0)

        assert {slot.state for slot in self.slots if slot.wanted} <= QUIET
        assert {slot.state for slot in self.slots if not slot.wanted} <= {State.STOPPED}


TestLives = World.TestCase
TestLives.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)

"""Any story of rows, orders, births and ends: table, effects, policy, plan and pacing together never lose a slot."""

import signal
from typing import Any
from unittest.mock import patch

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.harness.births import FakeGenerations, FakeKernel
from tests.harness.fakes import FakeClock, Recorder, loop_of, recording_log, turn
from workerd.daemon.processes import signals as signals_module
from workerd.daemon.processes.births import BIRTH_TIMEOUT_S, Births
from workerd.daemon.processes.child import Child
from workerd.daemon.processes.earlier import EarlierProcesses
from workerd.daemon.processes.stack_dump import StackDumps
from workerd.daemon.rules.facts import Effect, Fact
from workerd.daemon.rules.outcome import ExitStatus
from workerd.daemon.slots.child_messages import ChildMessages
from workerd.daemon.slots.effects import Effects
from workerd.daemon.slots.exits import Exits
from workerd.daemon.slots.lifecycle import Lifecycle
from workerd.daemon.slots.pacing import Pacing
from workerd.daemon.slots.places import Places
from workerd.daemon.slots.slot import LiveSlot, slot_of
from workerd.daemon.slots.slot_set import SlotSet
from workerd.daemon.slots.waiting import explain
from workerd.wire.messages import BecameReady, Loaded, RecycleAsked, Refused
from workerd.wire.spec import JobSpec
from workerd.wire.words import ALIVE, Restart, State

PLACES = 2
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
    }
)
picks = st.integers(0, 20)
exits = st.sampled_from(
    [ExitStatus(code=0), ExitStatus(code=1), ExitStatus(code=75), ExitStatus(code=78), ExitStatus(signal=9)]
)


class World(RuleBasedStateMachine):
    """The daemon's slots and births, whole; the forkserver, the kernel and time are the story's."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = FakeClock()
        self.loop = loop_of(self.clock)
        log, self.lines = recording_log()
        records: Any = Recorder()
        self.generations = FakeGenerations()
        self.server = self.generations.server
        self.kernel = patch.object(signals_module, "os", FakeKernel())
        self.kernel.start()
        self.births: Births[LiveSlot] = Births(self.loop, log, self.generations)  # type: ignore[arg-type]
        self.lifecycle = Lifecycle(self.loop, log)
        self.announced: dict[LiveSlot, State] = {}
        self.lifecycle.on_entered.add(self._entered)
        self.slot_set = SlotSet(self.loop, records, self.lifecycle)
        self.pacing: Pacing[LiveSlot] = Pacing(PLACES)
        dumps = StackDumps(self.loop, log)
        roster: Any = Recorder()
        earlier = EarlierProcesses(self.loop, log, "/nowhere", roster)
        node = ("node", "host")
        self.effects = Effects(
            self.loop, log, self.lifecycle, self.pacing, Places(1000), self.births, dumps, earlier, roster, node
        )
        self.messages = ChildMessages(log, records, self.lifecycle, self.births)
        self.exits = Exits(self.loop, log, records, self.lifecycle)
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

    def _forgiven(self, slot: LiveSlot) -> None:
        self.due.pop(slot, None)
        self._forgive(slot)

    # who there is

    @property
    def slots(self) -> list[LiveSlot]:
        return sorted(self.slot_set.job_slots(), key=lambda slot: (slot.spec.name, slot.index))

    @property
    def awaited(self) -> list[Child]:
        """The children that have not said their pid yet."""
        return list(self.births._expecting)

    @property
    def children(self) -> list[Child]:
        """The children that have a licence and have not ended."""
        return [child for child in self.births.children.values() if slot_of(child) is not None]

    @property
    def running(self) -> list[LiveSlot]:
        return [slot for slot in self.slots if slot.state is State.RUNNING]

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

    @precondition(lambda self: self.births.children)
    @rule(pick=picks, end=exits)
    def exit(self, pick: int, end: ExitStatus) -> None:
        pids = sorted(self.births.children)
        self._exit(pids[pick % len(pids)], end)

    def _exit(self, pid: int, end: ExitStatus) -> None:
        self.exits.conclude(self.births.forget(pid), end)
        turn(self.loop)

    @rule(seconds=st.sampled_from([0.05, 0.6, 2.0, 11.0, 70.0]))
    def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)
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
                    assert armed or slot in self.pacing._line
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

    def teardown(self) -> None:
        """Left alone, everything that is wanted comes to run, unless it is done or parked; the rest stops."""
        try:
            self.forkserver(there=True)
            for _ in range(30):
                self._help_along()
                self.pass_time(1.0 if self.awaited or self.children else BIRTH_TIMEOUT_S + 40.0)

            assert {slot.state for slot in self.slots if slot.wanted} <= QUIET
            assert {slot.state for slot in self.slots if not slot.wanted} <= {State.STOPPED}
        finally:
            self.kernel.stop()
            self.server.close()

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
            self._exit(slot.child.pid, ExitStatus(signal=signal.SIGTERM))


TestLifecycle = World.TestCase
TestLifecycle.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)

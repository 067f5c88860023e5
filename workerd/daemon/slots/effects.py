"""Does each effect of the table: asks for births, sends licences and signals, arms deadlines, logs news."""

import signal
from collections.abc import Callable, Iterable
from functools import partial
from random import Random
from typing import Any

from workerd.daemon.io.listeners import Listeners
from workerd.daemon.io.log import EventLog
from workerd.daemon.io.loop import Loop
from workerd.daemon.processes.births import Births
from workerd.daemon.processes.child import Child
from workerd.daemon.processes.earlier import EarlierProcesses
from workerd.daemon.processes.hold import describe_hold
from workerd.daemon.processes.roster import Roster
from workerd.daemon.processes.stack_dump import PATIENCE_S, StackDumps
from workerd.daemon.rules.facts import Effect, Fact
from workerd.wire.reasons import Reason
from workerd.wire.spec import JobSpec
from workerd.wire.words import Outcome

from .gate import Gate
from .lifecycle import Lifecycle
from .places import Places
from .slot import LiveSlot

KILL_PATIENCE_S = 5.0
"""A killed child that is still there after this is called unkillable."""
RECOVERY_SPREAD_S = 1.0
"""Children that waited for the database come back within this time of its recovery."""
DUMP_TIMEOUT_S = 2 * PATIENCE_S
"""A child whose stacks have not come by then is ended without."""
REFUSED = "the job cannot run: job.refused says why"
"""In the log the sentence stands once."""
PLACE_S = 5.0
"""A child that has not loaded by then no longer counts against pacing."""


class Effects:
    """Does what the lifecycle asks for, and tells it the facts that come of it."""

    def __init__(  # noqa: PLR0917 - the parts that it ties together
        self,
        loop: Loop,
        log: EventLog,
        lifecycle: Lifecycle,
        gate: Gate,
        places: Places,
        births: Births[LiveSlot],
        stack_dumps: StackDumps,
        earlier: EarlierProcesses,
        roster: Roster,
        node: tuple[str, str],
    ) -> None:
        """Enter every effect into ``lifecycle``; ``node`` is the name and the host that each licence carries."""
        self._loop = loop
        self._log = log
        self._lifecycle = lifecycle
        self._gate = gate
        self._places = places
        self._births = births
        self._stack_dumps = stack_dumps
        self._earlier = earlier
        self._roster = roster
        self._node = node
        self._held_up: dict[LiveSlot, None] = {}
        """Those that wait for a process of an earlier daemon to end, or for a record to be on disk."""
        self._random = Random()
        self.on_licensed: Listeners[[LiveSlot]] = Listeners()
        """Told of every run that begins."""
        self.on_licensing: Listeners[[LiveSlot, Child]] = Listeners()
        """Told of each child just before its licence is sent."""
        self.hold_back: Callable[[LiveSlot], str] = lambda _: ""
        """Returns what has to be written down before a process may start for the slot, or ""."""
        self.seat_obstacle: Callable[[LiveSlot], str] = lambda _: ""
        """Returns why its seat lets no process start for the slot, or ""."""
        self.on_ready: Listeners[[LiveSlot]] = Listeners()
        """Told of every run that counts as running now."""
        births.on_born.add(self._born)
        births.on_failed.add(self._birth_failed)
        births.on_delayed.add(lifecycle.explain)
        earlier.on_gone.add(self.try_held_up)
        lifecycle.on_entered.add(self._free_place_of_ended)
        lifecycle.effects.update(
            {
                Effect.QUEUE: self._queue,
                Effect.BEAR: self._bear,
                Effect.BEAR_ANEW: self._bear_anew,
                Effect.WITHDRAW: self._withdraw,
                Effect.LICENSE: self._license,
                Effect.TERMINATE: self._terminate,
                Effect.KILL: self._kill,
                Effect.DUMP: self._dump,
                Effect.REPORT_UNKILLABLE: self._report_unkillable,
                Effect.ARM_START: self._arm_start,
                Effect.ARM_GRACE: lambda slot: self._arm(slot, slot.spec.start_grace, self._grace_is_over),
                Effect.ARM_STOP: lambda slot: self._arm_fairly(slot, slot.spec.stop_timeout, self._deadline_passed),
                Effect.ARM_KILL: lambda slot: self._arm(slot, KILL_PATIENCE_S, self._deadline_passed),
                Effect.ARM_DELAY: self._arm_delay,
                Effect.FORGIVE: lambda slot: slot.history.forgive(),
                Effect.LEAVE_LINE: gate.leave,
                Effect.NOTE_STARTED: self._note_started,
                Effect.SAY_READY: self._say_ready,
                Effect.EXPLAIN: self._explain,
                Effect.SAY_PARKED: self._say_parked,
                Effect.SAY_RESUMED: self._say_resumed,
            }
        )

    def database_recovered(self, slots: Iterable[LiveSlot]) -> None:
        """Cut short the waits of the slots that missed the database, spread over a second."""
        for slot in slots:
            if slot.is_waiting_for_database:
                self._arm(slot, self._random.uniform(0.0, RECOVERY_SPREAD_S), self._deadline_passed)

    # births

    def _queue(self, slot: LiveSlot) -> None:
        """Stand in line; what the slot waited for until now is over."""
        slot.disarm()
        slot.reason, slot.next_start_wall = "", None
        if slot.builtin:  # behind jobs the ledger would be missing for as long as they take, and with it a journal
            self._lifecycle.apply(slot, Fact.TURN_CAME)
            return
        self._gate.stand_in_line(slot, lambda: self._lifecycle.apply(slot, Fact.TURN_CAME))

    def _bear(self, slot: LiveSlot) -> None:
        """Ask for a birth, unless an earlier daemon's process may still do the slot's work, or too many run."""
        self._arm_start_by(slot)
        if obstacle := self._obstacle(slot):
            self._held_up[slot] = None
        elif not self._places.take(slot):
            obstacle = self._places.reason
        else:
            self._births.bear(slot)
            return
        self._gate.leave(slot)
        slot.started_once = True  # as far as it can be
        self._lifecycle.explain(slot, obstacle)

    def _obstacle(self, slot: LiveSlot) -> str:
        if slot.builtin:
            return ""
        return self._earlier.obstacle(slot.spec.name, slot.index) or self.seat_obstacle(slot) or self.hold_back(slot)

    def _bear_anew(self, slot: LiveSlot) -> None:
        self._held_up.pop(slot, None)
        self._births.withdraw(slot)
        self._bear(slot)

    def _withdraw(self, slot: LiveSlot) -> None:
        self._held_up.pop(slot, None)
        self._places.leave(slot)
        self._births.withdraw(slot)

    def try_held_up(self) -> None:
        """Look again at the slots that something has held up."""
        held_up, self._held_up = self._held_up, {}
        for slot in held_up:
            if not self._obstacle(slot):
                self._lifecycle.explain(slot, "")
            self._loop.attempt(partial(self._bear, slot))

    def _free_place_of_ended(self, slot: LiveSlot) -> None:
        """Let others have the place of a slot whose process has ended, unless it takes it again at once."""
        if not slot.is_alive:
            self._places.leave(slot)
            self._loop.call_soon(self._give_places)

    def _give_places(self) -> None:
        while (slot := self._places.next()) is not None:
            self._lifecycle.explain(slot, "")
            self._loop.attempt(partial(self._bear, slot))

    def _birth_failed(self, slot: LiveSlot) -> None:
        """Try it again, and let others have their turn meanwhile: they may be luckier."""
        slot.started_once = True  # as far as it can be
        self._gate.leave(slot)
        self._lifecycle.apply(slot, Fact.BIRTH_FAILED)

    def _born(self, slot: LiveSlot, child: Child) -> None:
        slot.child = child
        self._lifecycle.explain(slot, "")  # it has waited long enough
        self._lifecycle.apply(slot, Fact.BORN)

    def _license(self, slot: LiveSlot) -> None:
        child, clock = child_of(slot), self._loop.clock
        if obstacle := self.seat_obstacle(slot):
            self._hold_up_born(slot, child, obstacle)
            return
        self.on_licensing(slot, child)
        child.license(slot, slot.spec, slot.index, *self._node, clock)
        if child.pid is not None:
            self._roster.add(child.pid, child.run, slot.spec.name, slot.index)
        ms = round((clock.monotonic() - child.asked_at) * 1000, 1)
        why: dict[str, Any] = {"trigger": child.trigger or None, "late_s": child.late_s(clock)}
        self._log.emit("child.born", **slot.identity, spare=child.was_spare, ms=None if child.was_spare else ms, **why)
        self._loop.call_in(PLACE_S, lambda: self._free_place(slot, child))
        self.on_licensed(slot)

    def _hold_up_born(self, slot: LiveSlot, child: Child, obstacle: str) -> None:
        """Let a newborn go: its birth took so long that too little is left of the seat, or the seat was lost."""
        slot.child = None
        self._births.let_go(child)
        self._held_up[slot] = None
        self._places.leave(slot)
        self._gate.leave(slot)
        self._lifecycle.explain(slot, obstacle)

    def _free_place(self, slot: LiveSlot, child: Child) -> None:
        """Let others start although this child still loads: an import that hangs must not hold up every job."""
        if slot.child is child and slot.is_starting:
            self._gate.leave(slot)

    # deadlines

    def _arm(self, slot: LiveSlot, seconds: float, call: Callable[[LiveSlot], None]) -> None:
        slot.disarm()
        slot.deadline = self._loop.call_in(seconds, partial(call, slot))

    def _arm_fairly(self, slot: LiveSlot, seconds: float, call: Callable[[LiveSlot], None]) -> None:
        """Arm a deadline; where the daemon itself stalls meanwhile, the child gets that time back."""

        def check(slot: LiveSlot) -> None:
            now = self._loop.clock.monotonic()
            left = self._loop.pardon(seconds) - now
            if left > 0:
                self._arm(slot, left, call)
            else:
                call(slot)

        self._arm(slot, seconds, check)

    def _arm_start(self, slot: LiveSlot) -> None:
        if slot.child is not None:  # else its licence was held back
            self._arm_fairly(slot, slot.spec.start_timeout, self._start_is_overdue)

    def _arm_start_by(self, slot: LiveSlot) -> None:
        """Arm the moment after which nothing may be started any more for what the slot has taken."""
        left = slot.start_within_left(self._loop.clock.wall())
        if left is not None:
            self._arm(slot, left, self._may_be_late)

    def _may_be_late(self, slot: LiveSlot) -> None:
        left = slot.start_within_left(self._loop.clock.wall())
        if left is None:
            slot.disarm()  # it has no schedule any more, and starts as soon as it can
        elif left > 0:
            self._arm(slot, left, self._may_be_late)
        else:
            self._deadline_passed(slot)

    def _deadline_passed(self, slot: LiveSlot) -> None:
        self._lifecycle.apply(slot, Fact.DEADLINE_PASSED)

    def _grace_is_over(self, slot: LiveSlot) -> None:
        self._lifecycle.apply(slot, Fact.BECAME_READY)

    def _start_is_overdue(self, slot: LiveSlot) -> None:
        child, limit = child_of(slot), slot.spec.start_timeout
        child.set_verdict(Outcome.HUNG, f"it was not ready within {limit:g} s, its start timeout")
        child.tell_hang(self._log, limit, limit)
        self._lifecycle.apply(slot, Fact.DEADLINE_PASSED, hung=True)

    def _arm_delay(self, slot: LiveSlot) -> None:
        delay, reason, failures = slot.decision.delay, slot.decision.reason, slot.history.failures
        self._arm(slot, delay, self._deadline_passed)
        slot.next_start_wall = self._loop.clock.wall() + delay
        slot.reason = reason
        self._log.emit(
            "child.restart_scheduled", **slot.identity, delay_s=round(delay, 3), reason=reason, failures=failures
        )

    # the end of a child

    def _terminate(self, slot: LiveSlot) -> None:
        child = child_of(slot)
        child.asked = True
        number, limit = stop_signal(slot.spec), slot.spec.stop_timeout
        reason = child.verdict_reason or slot.cause or f"its job is {'to start again' if slot.wanted else 'to stop'}"
        name = None if slot.builtin else number.name
        if slot.builtin:
            child.link.close()  # they end at end-of-file; a signal would come in the middle of whatever they write
        refusal = "" if slot.builtin else child.signal(number, self._log)
        self._log.emit("child.stopping", **slot.identity, signal=name, reason=reason, timeout_s=limit)
        if refusal:
            self._lifecycle.explain(slot, Reason(f"{number.name} could not be sent: {refusal}"))

    def _kill(self, slot: LiveSlot) -> None:
        child = child_of(slot)
        child.kill(self._log, child.seat_ended or f"it did not stop within {slot.spec.stop_timeout:g} s")

    def _dump(self, slot: LiveSlot) -> None:
        child = child_of(slot)
        child.dumped = True

        def dumped(stack: str) -> None:
            child.stack = stack
            if slot.deadline is timer:  # else it has passed, or the slot has gone on
                self._deadline_passed(slot)

        self._arm(slot, DUMP_TIMEOUT_S, self._deadline_passed)
        timer = slot.deadline
        self._stack_dumps.take(child, dumped)

    def _report_unkillable(self, slot: LiveSlot) -> None:
        """Say what holds the child that SIGKILL has not ended; it is looked at again, as that may change."""
        child = child_of(slot)
        hold = child.kill_refusal or (describe_hold(child.pid) if child.pid is not None else "")
        if not slot.unkillable:
            slot.unkillable = True
            self._log.emit("child.unkillable", **slot.identity, seconds=KILL_PATIENCE_S, reason=hold)
        self._lifecycle.explain(slot, Reason(f"still there {KILL_PATIENCE_S:g} s after SIGKILL: {hold}"))
        self._arm(slot, KILL_PATIENCE_S, self._deadline_passed)

    # news

    def _note_started(self, slot: LiveSlot) -> None:
        slot.started_once = True

    def _say_ready(self, slot: LiveSlot) -> None:
        child_of(slot).become_ready(self._loop.clock, self._log)
        self.on_ready(slot)

    def _explain(self, slot: LiveSlot) -> None:
        slot.reason = self._lifecycle.problems.get(slot.spec.name) or slot.decision.reason

    def _say_parked(self, slot: LiveSlot) -> None:
        refused = slot.spec.name in self._lifecycle.problems
        if refused:
            self._log.emit("job.refused", **slot.identity, reason=slot.reason)
        reason = REFUSED if refused or slot.outcome is Outcome.REFUSED else slot.reason
        self._log.emit("child.parked", **slot.identity, reason=reason)

    def _say_resumed(self, slot: LiveSlot) -> None:
        self._log.emit("child.resumed", **slot.identity, reason=slot.cause)


def stop_signal(spec: JobSpec) -> signal.Signals:
    """Return the signal that asks a child of this job to go; TERM where the row names no signal."""
    return getattr(signal.Signals, f"SIG{spec.stop_signal}", signal.SIGTERM)


def child_of(slot: LiveSlot) -> Child:
    """Return the slot's child, which the table says is there."""
    assert slot.child is not None, f"{slot.name} is {slot.state} without a process"
    return slot.child

"""How each effect of the table is done: births asked for, licences and signals sent, deadlines armed."""

import signal
from collections.abc import Callable, Iterable, Mapping
from random import Random

from workerd.daemon.io.log import EventLog
from workerd.daemon.io.loop import Loop
from workerd.daemon.processes.births import Births
from workerd.daemon.processes.child import Child
from workerd.daemon.processes.stack_dump import dump
from workerd.daemon.rules.facts import Effect, Fact
from workerd.wire.spec import JobSpec
from workerd.wire.words import Outcome, State

from .lifecycle import Lifecycle
from .pacing import Pacing
from .slot import LiveSlot

KILL_PATIENCE_S = 5.0
"""A killed child that is still there after this is called unkillable."""
RECOVERY_SPREAD_S = 1.0
"""Children that waited for the database come back within this time of its recovery."""
PLACE_S = 5.0
"""A child that has not loaded by then no longer counts against pacing."""


class Effects:
    """Does what ``Lifecycle`` is told to do; ``on_licensed`` hears of every run that begins."""

    def __init__(
        self,
        loop: Loop,
        log: EventLog,
        lifecycle: Lifecycle,
        identity: tuple[str, str],
        on_licensed: Callable[[LiveSlot], None],
    ) -> None:
        self._loop = loop
        self._log = log
        self._lifecycle = lifecycle
        self._identity = identity
        self._on_licensed = on_licensed
        self._random = Random()

    def by_name(self, pacing: Pacing, births: Births) -> Mapping[Effect, Callable[[LiveSlot], None]]:
        """Return the mapping that ``Lifecycle.effects`` takes."""
        self._pacing = pacing
        return {
            Effect.QUEUE: self._queue,
            Effect.BEAR: births.bear,
            Effect.WITHDRAW: births.withdraw,
            Effect.LICENSE: self._license,
            Effect.TERMINATE: self._terminate,
            Effect.KILL: self._kill,
            Effect.DUMP: self._dump,
            Effect.REPORT_UNKILLABLE: self._report_unkillable,
            Effect.ARM_START: lambda slot: self._arm_judgement(slot, slot.spec.start_timeout, self._start_is_overdue),
            Effect.ARM_GRACE: lambda slot: self._arm(slot, slot.spec.start_grace, self._grace_is_over),
            Effect.ARM_STOP: lambda slot: self._arm_judgement(slot, slot.spec.stop_timeout, self._deadline_passed),
            Effect.ARM_KILL: lambda slot: self._arm(slot, KILL_PATIENCE_S),
            Effect.ARM_DELAY: self._arm_delay,
            Effect.FORGIVE: lambda slot: slot.history.forgive(),
        }

    def _queue(self, slot: LiveSlot) -> None:
        """Stand in line; what it waited for until now is over."""
        slot.disarm()
        slot.reason, slot.next_start_wall = "", None
        self._pacing.stand_in_line(slot)

    def _arm(self, slot: LiveSlot, seconds: float, call: Callable[[LiveSlot], None] | None = None) -> None:
        slot.disarm()
        due = call or self._deadline_passed
        slot.deadline = self._loop.call_in(seconds, lambda: due(slot))

    def _arm_judgement(self, slot: LiveSlot, seconds: float, call: Callable[[LiveSlot], None]) -> None:
        """As ``_arm``; where the daemon itself has stalled, the child gets that time back."""

        def check(slot: LiveSlot) -> None:
            left = self._loop.pardon(seconds) - self._loop.clock.monotonic()
            if left > 0:
                self._arm(slot, left, call)
            else:
                call(slot)

        self._arm(slot, seconds, check)

    def _deadline_passed(self, slot: LiveSlot) -> None:
        self._lifecycle.tell(slot, Fact.DEADLINE_PASSED)

    def _grace_is_over(self, slot: LiveSlot) -> None:
        self._lifecycle.tell(slot, Fact.BECAME_READY)

    def _start_is_overdue(self, slot: LiveSlot) -> None:
        child, limit = _child(slot), slot.spec.start_timeout
        child.set_verdict(Outcome.HUNG, f"it was not ready within {limit:g} s")
        note = child.page.read_note() or None
        self._log.emit("child.hung", **slot.identity, silent_s=limit, timeout_s=limit, note=note)
        self._lifecycle.tell(slot, Fact.DEADLINE_PASSED, hung=True)

    def _arm_delay(self, slot: LiveSlot) -> None:
        delay, reason = slot.decision.delay, slot.decision.reason
        self._arm(slot, delay)
        slot.next_start_wall = self._loop.clock.wall() + delay
        slot.reason = reason
        failures = slot.history.failures
        self._log.emit(
            "child.restart_scheduled", **slot.identity, delay_s=round(delay, 3), reason=reason, failures=failures
        )

    def database_recovered(self, slots: Iterable[LiveSlot]) -> None:
        """Cut short the waits of those that missed it, not all at one moment."""
        for slot in slots:
            if slot.state is State.WAITING and slot.misses_database and slot.deadline is not None:
                self._arm(slot, self._random.uniform(0.0, RECOVERY_SPREAD_S))

    def _license(self, slot: LiveSlot) -> None:
        child, clock = _child(slot), self._loop.clock
        now = clock.monotonic()
        child.license(slot, *self._identity, now, clock.wall())
        ms = round((now - child.asked_at) * 1000, 1)
        self._log.emit("child.born", **slot.identity, spare=child.was_spare, ms=None if child.was_spare else ms)
        self._loop.call_in(PLACE_S, lambda: self._free_place(slot, child))
        self._on_licensed(slot)

    def _free_place(self, slot: LiveSlot, child: Child) -> None:
        """Let others start while this one loads on: one import that hangs must not hold up every job."""
        if slot.child is child and slot.state is State.STARTING:
            self._pacing.leave(slot)

    def _terminate(self, slot: LiveSlot) -> None:
        child = _child(slot)
        child.asked = True
        number, limit = stop_signal(slot.spec), slot.spec.stop_timeout
        reason = child.verdict_reason or ("an order or an edit" if slot.wanted else "not wanted any more")
        said = None if slot.builtin else number.name
        self._log.emit("child.stopping", **slot.identity, signal=said, reason=reason, timeout_s=limit)
        if slot.builtin:
            child.link.close()  # ours end at end-of-file: a signal would come in the middle of whatever they write
        else:
            child.signal(number)

    def _kill(self, slot: LiveSlot) -> None:
        child = _child(slot)
        child.killed = True
        self._log.emit("child.killed", **slot.identity, reason=f"did not stop within {slot.spec.stop_timeout:g} s")
        child.kill_group()

    def _dump(self, slot: LiveSlot) -> None:
        child = _child(slot)
        child.dumped = True

        def dumped(stack: str) -> None:
            child.stack = stack
            self._deadline_passed(slot)

        dump(self._loop, self._log, child, dumped)

    def _report_unkillable(self, slot: LiveSlot) -> None:
        slot.unkillable = True
        self._log.emit("child.unkillable", **slot.identity, seconds=KILL_PATIENCE_S)


def stop_signal(spec: JobSpec) -> signal.Signals:
    """Return the signal that asks a child of this job to go; TERM where the row says what is none."""
    return getattr(signal.Signals, f"SIG{spec.stop_signal}", signal.SIGTERM)


def _child(slot: LiveSlot) -> Child:
    assert slot.child is not None, f"{slot.name} is {State(slot.state)} without a child"
    return slot.child

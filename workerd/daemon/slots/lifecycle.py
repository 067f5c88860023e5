"""The lives of slots: every fact goes through the table here, one after another, and each effect is done in order."""

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from workerd.daemon.io.listeners import Listeners
from workerd.daemon.io.log import EventLog
from workerd.daemon.io.loop import Loop
from workerd.daemon.rules.dues import Due
from workerd.daemon.rules.facts import Effect, Fact
from workerd.daemon.rules.transitions import Situation, step

from .slot import LiveSlot


class Told(NamedTuple):
    """A fact that waits for its turn."""

    slot: LiveSlot
    fact: Fact
    hung: bool
    restarting: bool
    rescheduled: bool
    due: Due | None
    overlap: str


class Lifecycle:
    """Takes facts about slots and runs each to completion before the next one.

    A fact that an effect causes comes before those that were told from outside: a slot that is given a child is never
    told to stop between the two halves of that.
    """

    def __init__(self, loop: Loop, log: EventLog) -> None:
        self._loop = loop
        self._log = log
        self._caused: deque[Told] = deque()
        self._told: deque[Told] = deque()
        self._stepping: LiveSlot | None = None
        self._performing = False
        self.effects: dict[Effect, Callable[[LiveSlot], None]] = {}
        """How each effect is done; ``Effects`` enters all of them when it is built."""
        self.on_entered: Listeners[[LiveSlot]] = Listeners()
        """Told once for each state that a slot enters."""
        self.on_changed: Listeners[[LiveSlot]] = Listeners()
        """Told after each fact, whether the state is another one or not, and of each new reason."""
        self.problems: dict[str, str] = {}
        """By job: why its row cannot be run as it is written."""
        self.stopping = ""
        """Why the daemon stops, so that no late row or order makes a slot wanted; "" while it goes on."""
        self.keep_dues: Callable[[LiveSlot], None] = lambda _: None
        """Brings the due moments of a slot in step with its row and its wish, before the table is asked."""

    def want(self, slot: LiveSlot, wanted: bool, cause: str = "") -> None:
        """Change the wish, for a ``cause``; the table closes the gap."""
        if wanted and self.stopping and not slot.builtin:
            wanted, cause = False, self.stopping
            slot.cause = slot.cause or cause
        if slot.wanted != wanted:
            slot.wanted = wanted
            slot.cause = cause
            self.apply(slot, Fact.WANTED_UP if wanted else Fact.WANTED_DOWN)

    def apply(
        self,
        slot: LiveSlot,
        fact: Fact,
        *,
        hung: bool = False,
        restarting: bool = False,
        rescheduled: bool = False,
        due: Due | None = None,
        overlap: str = "",
        cause: str = "",
    ) -> None:
        """Put a fact through the table: now, or when the one that is being dealt with is done.

        CAME_DUE comes with a ``due``; its ``overlap`` is the row's own where none is given.
        """
        slot.cause = cause or slot.cause
        told = Told(slot, fact, hung, restarting, rescheduled, due, overlap)
        (self._caused if self._performing else self._told).append(told)
        if self._stepping is None:
            self._run()

    def explain(self, slot: LiveSlot, reason: str) -> None:
        """Give ``reason`` as why the slot is as it is, until its state changes."""
        if slot.reason != reason:
            slot.reason = reason
            if slot is not self._stepping:  # else its listeners are told when the fact is done
                self.on_changed(slot)

    def _run(self) -> None:
        try:
            while self._caused or self._told:
                self._step((self._caused or self._told).popleft())
        finally:
            self._stepping, self._performing = None, False
            if self._caused or self._told:  # one slot's fault must not hold up what others were told
                self._loop.call_soon(self._run)

    def _step(self, told: Told) -> None:
        slot = self._stepping = told.slot
        was, slot.reason_before = slot.state, slot.reason
        self._loop.attempt(partial(self.keep_dues, slot))
        if slot.dues is not None:
            slot.dues.came = told.due
        after = step(was, told.fact, self._situation(told))
        entered = after.state is not was
        if entered:
            slot.enter(after.state, self._loop.clock)
        self._performing = True
        for effect in after.effects:
            if effect is Effect.REPORT_IMPOSSIBLE:
                reason = f"internal error, please report it: {told.fact.name} cannot happen in {was.name}"
                self._log.emit("daemon.degraded", **slot.identity, reason=reason)
            else:
                self._loop.attempt(partial(self._perform, effect, slot))  # those after it count as well
        self._performing = False
        if entered:
            self._loop.attempt(partial(self.on_entered, slot))
        self._loop.attempt(partial(self.on_changed, slot))

    def _perform(self, effect: Effect, slot: LiveSlot) -> None:
        try:
            self.effects[effect](slot)
        except Exception as error:
            error.add_note(f"slot {slot.name}")  # the log names it
            raise

    def _situation(self, told: Told) -> Situation:
        slot, child, dues = told.slot, told.slot.child, told.slot.dues
        left = slot.start_within_left(self._loop.clock.wall())
        return Situation(
            wanted=slot.wanted,
            born=child is not None and child.licensed_at is not None,
            hung=told.hung,
            dumped=child is not None and child.dumped,
            asked=child is not None and child.asked,
            killed=child is not None and child.killed,
            signals_ready=slot.spec.signals_ready,
            restarting=told.restarting,
            refused=slot.spec.name in self.problems,
            next=slot.decision.next,
            scheduled=dues is not None and bool(slot.spec.schedule),
            over=dues is not None and dues.next is None,
            taken=slot.has_taken,
            remembered=dues is not None and dues.remembered is not None,
            late=left is not None and left < 0,
            rescheduled=told.rescheduled,
            overlap=told.overlap or slot.spec.overlap,
        )

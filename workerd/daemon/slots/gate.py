"""Keeps a slot from its first start until the jobs that it starts after run; it stands in front of pacing."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from workerd.daemon.io.listeners import Listeners
from workerd.daemon.io.log import EventLog
from workerd.daemon.io.loop import Loop, Timer
from workerd.daemon.rules.start_order import Standing, Wait, judge
from workerd.wire.lease import longest_gap
from workerd.wire.reasons import Reason
from workerd.wire.start_order import find_circles, show_circle
from workerd.wire.words import Outcome, State

from .lifecycle import Lifecycle
from .pacing import Pacing
from .slot import LiveSlot
from .slot_set import SlotSet

SHORTEST_S = 0.001
"""The shortest wait: rounding may leave a little of a time that is over, turn after turn."""
NAMED = 3
"""The most jobs that a reason names."""
UNREAD = Reason("waits until all rows are read, as it starts after other jobs")


@dataclass(slots=True)
class _Waiting:
    """A slot that waits: ``on_turn`` lets it stand in line, ``again`` is the latest time to look at it once more."""

    on_turn: Callable[[], None]
    again: Timer | None = None


class Gate:
    """The line of pacing, and who may not stand in it yet."""

    def __init__(
        self, loop: Loop, log: EventLog, lifecycle: Lifecycle, slot_set: SlotSet, pacing: Pacing[LiveSlot]
    ) -> None:
        self._loop = loop
        self._log = log
        self._lifecycle = lifecycle
        self._slot_set = slot_set
        self._pacing = pacing
        self._waiting: dict[LiveSlot, _Waiting] = {}
        self._circles: dict[str, tuple[str, ...]] = {}
        self._changed: set[str] = set()
        self._said: set[tuple[str, str]] = set()
        """The pairs of jobs of which the first does not wait for the other, as the log has it: once for all slots."""
        self.runs_elsewhere: Callable[[LiveSlot], bool] = lambda _: False
        """Returns whether another node has the slot's seat."""
        self.on_waiting: Listeners[[float]] = Listeners()
        """Told for how many seconds more a slot may wait, each time that this is known."""
        lifecycle.on_changed.add(self._note_change)
        slot_set.on_whole.add(self._look_at_all)

    def stand_in_line(self, slot: LiveSlot, on_turn: Callable[[], None]) -> None:
        """Call ``on_turn`` when the jobs that the slot starts after have run, and pacing has a place for it."""
        if slot.passed or slot.spec.name in self._lifecycle.problems:  # a row that cannot run says so at once
            self._pacing.stand_in_line(slot, on_turn)
            return
        self._stop_waiting(slot)
        self._waiting[slot] = _Waiting(on_turn)
        self._look(slot)

    def leave(self, slot: LiveSlot) -> None:
        """Take a slot out of either line, or free its place among those that load."""
        self._stop_waiting(slot)
        self._pacing.leave(slot)

    def let_pass(self, slot: LiveSlot) -> None:
        """Have the slot wait for no other job, now and later."""
        slot.passed = True
        if (waiting := self._stop_waiting(slot)) is not None:
            self._lifecycle.explain(slot, "")
            self._pacing.stand_in_line(slot, waiting.on_turn)

    def _look_at_all(self) -> None:
        """Look again at all that wait, as their rows, or those of others, are others now."""
        specs = self._slot_set.specs
        self._circles = find_circles({name: spec.starts_after for name, spec in specs.items()})
        for slot in tuple(self._waiting):
            self._look(slot)

    def _note_change(self, slot: LiveSlot) -> None:
        """Look again, once all that is done in this turn has been done, at those that start after the slot's job."""
        if any(slot.spec.name in waiting.spec.starts_after for waiting in self._waiting):
            if not self._changed:
                self._loop.call_soon(self._look_at_those_after_changed)
            self._changed.add(slot.spec.name)

    def _look_at_those_after_changed(self) -> None:
        changed, self._changed = self._changed, set()
        for slot in [slot for slot in self._waiting if not changed.isdisjoint(slot.spec.starts_after)]:
            self._look(slot)

    def _look(self, slot: LiveSlot) -> None:
        """Let a slot pass that has nobody to wait for any more, or say whom it waits for."""
        if slot.spec.starts_after and self._slot_set.is_partial:
            self._lifecycle.explain(slot, UNREAD)
            return
        waits = {name: self._wait_for(slot.spec.name, name) for name in slot.spec.starts_after}
        if awaited := [name for name, wait in waits.items() if wait.goes_on]:
            self._wait_on(slot, awaited, min(waits[name].left_s for name in awaited))
            return
        for name, wait in waits.items():
            if wait.ignored:
                self._say_ignored(slot.spec.name, name, wait.ignored)
        self.let_pass(slot)

    def _wait_on(self, slot: LiveSlot, awaited: list[str], left_s: float) -> None:
        """Have the slot wait, unless it is too late by now for the due moment that it has taken."""
        within = slot.start_within_left(self._loop.clock.wall())
        if within is not None and within < 0:
            if (waiting := self._stop_waiting(slot)) is not None:
                self._pacing.stand_in_line(slot, waiting.on_turn)  # at its turn the moment is given up
            return
        self._look_again(slot, left_s if within is None else min(left_s, within))
        self._lifecycle.explain(slot, _say_awaited(awaited))

    def _wait_for(self, job: str, name: str) -> Wait:
        """Return whether ``job`` still waits for the one called ``name``."""
        circle = self._circles.get(job)
        if circle is not None and self._circles.get(name) is circle:
            return Wait(goes_on=False, ignored=f"they start after each other: {show_circle(circle)}")
        if misfit := self._slot_set.misfits.get(name):
            return Wait(goes_on=False, ignored=f"this node {misfit}")
        return judge(self._slot_set.specs.get(name), [self._standing(slot) for slot in self._slot_set.slots_of(name)])

    def _standing(self, slot: LiveSlot) -> Standing:
        if slot.waits_for_seat:
            return self._standing_elsewhere(slot)
        tried = None
        if slot.first_start is not None:
            now, limit = self._loop.clock.monotonic(), slot.spec.start_timeout
            # A time in which the daemon stood still does not count.
            tried = min(now - slot.first_start, limit + now - self._loop.pardon(limit))
        return Standing(slot.wanted, slot.state, slot.ran, slot.outcome is Outcome.FINISHED, tried)

    def _standing_elsewhere(self, slot: LiveSlot) -> Standing:
        """Return how a slot stands that another node may run: one that has its seat counts as running there."""
        if slot.ran or self.runs_elsewhere(slot):
            return Standing(wanted=True, state=State.RUNNING, ran=True)
        without_s = self._loop.clock.monotonic() - slot.since
        tried = without_s - longest_gap(slot.spec.takeover_after)  # a node may have to be given up first
        return Standing(wanted=True, state=State.WAITING, tried_s=tried, unheld=True)

    def _look_again(self, slot: LiveSlot, left_s: float) -> None:
        waiting = self._waiting[slot]
        if waiting.again is not None:
            waiting.again.cancel()
            waiting.again = None
        if left_s < math.inf:
            waiting.again = self._loop.call_in(max(left_s, SHORTEST_S), partial(self._look, slot))
            self.on_waiting(left_s)

    def _stop_waiting(self, slot: LiveSlot) -> _Waiting | None:
        waiting = self._waiting.pop(slot, None)
        if waiting is not None and waiting.again is not None:
            waiting.again.cancel()
        return waiting

    def _say_ignored(self, job: str, name: str, reason: str) -> None:
        if (job, name) not in self._said:
            self._said.add((job, name))
            self._log.emit("job.order_ignored", job=job, starts_after=name, reason=reason)


def _say_awaited(names: list[str]) -> Reason:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return Reason(f"waits for {', '.join(names[:NAMED])}{more} to run")

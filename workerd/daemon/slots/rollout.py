"""Moves the slots to a new generation: first the ledger, then so many jobs' slots at a time."""

from collections import deque
from collections.abc import Callable

from workerd.daemon.rules.facts import Fact

from .lifecycle import Lifecycle
from .slot import LiveSlot


class Rollout:
    """Restarts every slot whose child is of an older generation, at most ``max_unavailable`` at once.

    No slot is stopped while no new process could be started for it.
    """

    def __init__(self, lifecycle: Lifecycle, max_unavailable: int | None, obstacle: Callable[[], str]) -> None:
        self._lifecycle = lifecycle
        self._obstacle = obstacle
        self._max_unavailable = max_unavailable
        self._line: deque[LiveSlot] = deque()
        self._moving: set[LiveSlot] = set()
        self._limit = 1
        self._on_done: list[Callable[[], None]] = []

    @property
    def under_way(self) -> bool:
        """Whether some slot still has to move over."""
        return bool(self._line or self._moving)

    def start(self, ledger: LiveSlot, slots: list[LiveSlot], generation: int) -> None:
        """Move every slot over to ``generation``; a slot whose job was refused is tried again with the new code."""
        self._generation = generation
        self._limit = self._max_unavailable or max(1, len(slots) // 10)
        self._line = deque([ledger, *slots])
        self._moving.clear()
        for slot in slots:
            if slot.is_refused:
                self._lifecycle.apply(slot, Fact.RESUMED)

    def when_done(self, call: Callable[[], None]) -> None:
        """Call ``call`` once, when every slot has moved over."""
        self._on_done.append(call)

    def go_on(self) -> None:
        """At the end of a turn: restart the next slots, if enough of those before have arrived."""
        self._moving = {slot for slot in self._moving if not slot.has_arrived(self._generation)}
        while self._line and len(self._moving) < self._limit and not self._ledger_is_moving() and not self._obstacle():
            self._move(self._line.popleft())
        if not self.under_way:
            calls, self._on_done = self._on_done, []
            for call in calls:
                call()

    def _move(self, slot: LiveSlot) -> None:
        child = slot.child
        if slot.is_alive and child is not None and child.generation < self._generation:
            self._moving.add(slot)
            if not slot.is_stopping:
                self._lifecycle.apply(slot, Fact.RESTART_ASKED)

    def _ledger_is_moving(self) -> bool:
        return any(slot.builtin for slot in self._moving)

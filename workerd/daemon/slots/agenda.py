"""The agenda knows which slots run at times, and each one's next due moment: one heap, an alarm at the earliest."""

import heapq
import itertools
from collections.abc import Callable
from typing import Protocol

from .slot import LiveSlot

FAR = 2.0**32
"""A moment after all others, in wall seconds."""
SPARE = 64
"""The heap may keep this many entries that no longer hold, beside one more for each slot."""


class Alarm(Protocol):
    """Calls back at a wall moment, and when the clock is set."""

    def arm(self, moment: float | None) -> None: ...


class Agenda:
    """Rings when a slot is due. An entry of the heap holds while its slot's ``dues.next`` is that moment."""

    def __init__(self, new_alarm: Callable[[Callable[[], None]], Alarm], ring: Callable[[], None]) -> None:
        """``new_alarm`` is asked for an alarm with the first slot: who has no schedule pays for none."""
        self._new_alarm = new_alarm
        self._ring = ring
        self._alarm: Alarm | None = None
        self._heap: list[tuple[float, int, LiveSlot]] = []
        self._order = itertools.count()
        self._slots: dict[LiveSlot, None] = {}

    def slots(self) -> tuple[LiveSlot, ...]:
        """Return every slot that runs at times and is wanted, also those that have no further moment."""
        return tuple(self._slots)

    def add(self, slot: LiveSlot) -> None:
        self._slots[slot] = None

    def remove(self, slot: LiveSlot) -> None:
        self._slots.pop(slot, None)

    def enter(self, slot: LiveSlot) -> None:
        """Take up the slot's next due moment; ``arm`` has it ring."""
        if slot.dues is not None and slot.dues.next is not None:
            heapq.heappush(self._heap, (slot.dues.next, next(self._order), slot))
        if len(self._heap) > 2 * len(self._slots) + SPARE:
            self._heap = [entry for entry in self._heap if _holds(entry)]
            heapq.heapify(self._heap)

    def pop(self, now: float) -> tuple[LiveSlot, float] | None:
        """Take out the slot that is due first, with its moment; None where none is due."""
        while self._heap and self._heap[0][0] <= now:
            entry = heapq.heappop(self._heap)
            if _holds(entry):
                return entry[2], entry[0]
        return None

    def arm(self) -> None:
        """Have the alarm ring at the earliest moment; it also rings when the clock is set, as long as it is armed."""
        while self._heap and not _holds(self._heap[0]):
            heapq.heappop(self._heap)
        if self._alarm is None and self._slots:
            self._alarm = self._new_alarm(self._ring)
        if self._alarm is not None:
            last = FAR if self._slots else None
            self._alarm.arm(self._heap[0][0] if self._heap else last)


def _holds(entry: tuple[float, int, LiveSlot]) -> bool:
    moment, _, slot = entry
    return slot.wanted and slot.dues is not None and slot.dues.next == moment

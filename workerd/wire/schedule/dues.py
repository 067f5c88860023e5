"""Every schedule tells its dues (``Schedule``); a text or a zone that makes none raises one of the errors here."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field

from workerd.errors import WorkerdError

from .zone import Zone

FIRST, LAST = -1, 7_258_118_400
"""Moments are taken as lying from 1970 to 2200, whatever a wrong clock says."""


class ScheduleError(WorkerdError, ValueError):
    """The text is no schedule; says what to write."""


class ZoneError(ScheduleError):
    """The machine has no such time zone."""


@dataclass(frozen=True, slots=True)
class Schedule(ABC):
    """A schedule, as it was read. A moment is in seconds since 1970 (UTC); each due is a whole one."""

    text: str
    zone: str
    clock: Zone = field(repr=False, compare=False)

    def next_after(self, moment: float) -> float | None:
        """Return the first due later than ``moment``, None where there is no further one."""
        due = self._next(second_of(moment))
        return None if due is None or due > LAST else float(due)

    def latest(self, after: float, until: float) -> float | None:
        """Return the last due in (after, until]. Asks ``_next`` some thirty times, however many dues there are."""
        low, high = second_of(after), second_of(until)
        end, last = high, None
        if not self._count(low, high):
            return None  # a seldom due takes _next its time
        while low < high:
            middle = (low + high) // 2
            due = self._next(middle)
            if due is not None and due <= end:
                low = last = due
            else:
                high = middle
        return None if last is None else float(last)

    def count(self, after: float, until: float) -> int:
        """Return how many dues there are in (after, until], exactly and by arithmetic: a year takes a millisecond."""
        return self._count(second_of(after), second_of(until))

    @abstractmethod
    def skipped(self, due: float) -> int | None:
        """Return the wall time that the clocks skip and ``due`` stands for; None for a due at its own time."""

    @abstractmethod
    def words(self) -> str: ...

    @abstractmethod
    def _next(self, second: int) -> int | None: ...

    @abstractmethod
    def _count(self, after: int, until: int) -> int: ...


def second_of(moment: float) -> int:
    """Return the whole second that has begun: a due is later than one exactly where it is later than the other."""
    return math.floor(min(max(moment, FIRST), LAST))

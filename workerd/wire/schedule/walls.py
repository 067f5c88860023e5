"""The wall times that five fields name, without any zone (``Walls``); cronsim reads the fields and knows the days."""

from bisect import bisect_left
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from cronsim import CronSim

from .local import from_wall
from .zone import DAY

DAY_ZERO = date(1970, 1, 1).toordinal()


@lru_cache(maxsize=64)
def read(fields: str) -> CronSim:
    """Return the fields as cronsim has read them; it keeps some kilobytes, which no schedule is to hold."""
    return CronSim(fields, from_wall(0))


@dataclass(frozen=True, slots=True)
class Walls:
    """The wall times of five fields."""

    fields: str

    def first(self, wall: int) -> int | None:
        """Return the first wall time at or after ``wall``; None where cronsim finds none in fifty years."""
        try:
            found = next(CronSim(self.fields, from_wall(wall - 1)))  # it takes UTC as clocks that never change
        except StopIteration:
            return None
        return (found.toordinal() - DAY_ZERO) * DAY + found.hour * 3600 + found.minute * 60

    def count(self, start: int, end: int) -> int:
        """Return how many there are from ``start`` until before ``end``."""
        if start >= end:
            return 0
        cron = read(self.fields)
        (first, early), (last, late) = divmod(start, DAY), divmod(end, DAY)
        days = sum(_has(cron, day) for day in range(first, last)) * len(cron.hours) * len(cron.minutes)
        return days - _has(cron, first) * _before(cron, early) + _has(cron, last) * _before(cron, late)


def _has(cron: CronSim, day: int) -> bool:
    found = date.fromordinal(DAY_ZERO + day)
    return found.month in cron.months and cron.match_day(found)


def _before(cron: CronSim, second: int) -> int:
    """Return how many of a day's times are before its ``second``."""
    hour, minute = divmod(-(-second // 60), 60)
    begun = bisect_left(sorted(cron.minutes), minute) if hour in cron.hours else 0
    return bisect_left(sorted(cron.hours), hour) * len(cron.minutes) + begun

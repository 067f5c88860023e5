"""Five fields on the clocks of a zone (``Cron``), by Debian cron's rules for a change of the clocks.

A schedule whose minute or hour begins with ``*`` is due whenever the clocks show one of its times. Any other has
fixed times: one that the clocks skip is due at once when they have changed, one that they repeat is due the first time.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from .cron_words import in_words
from .dues import LAST, Schedule
from .walls import Walls
from .zone import DAY, Span


@dataclass(frozen=True, slots=True)
class Cron(Schedule):
    """Due at the times that five fields name."""

    walls: Walls = field(repr=False, compare=False)

    @property
    def is_fixed(self) -> bool:
        minute, hour = self.walls.fields.split()[:2]
        return not minute.startswith("*") and not hour.startswith("*")

    def skipped(self, due: float) -> int | None:
        second = int(due)
        before, offset = self.clock.offset(second - 1), self.clock.offset(second)
        if not self.is_fixed or before >= offset:
            return None
        wall = self.walls.first(second + before)
        return wall if wall is not None and wall < second + offset else None

    def words(self) -> str:
        return in_words(self.walls.fields)

    def _next(self, second: int) -> int | None:
        """No zone is more than a day away from UTC: so far may a due lie from its wall time."""
        while second < LAST:
            due = self._within(second, second + 3 * DAY)
            wall = self.walls.first(second + 2 * DAY) if due is None else None
            if wall is None:
                return due
            second = max(second + DAY, wall - 2 * DAY)
        return None

    def _within(self, after: int, end: int) -> int | None:
        asked, wall = 0, -1
        for span, start in self._spans(after, end):
            if not asked <= start <= wall:
                asked, found = start, self.walls.first(start)
                if found is None:
                    return None
                wall = found
            due = max(wall - span.offset, span.start)
            if due < span.end:
                return due
        return None

    def _count(self, after: int, until: int) -> int:
        total = 0
        for span, start in self._spans(after, until + 1):
            end = span.end + span.offset
            own = max(start, span.start + span.offset + 1)
            at_once = self.walls.count(start, min(own, end)) > 0
            total += at_once + self.walls.count(own, end)
        return total

    def _spans(self, after: int, end: int) -> Iterator[tuple[Span, int]]:
        """Yield each span until ``end``, with the first wall time that is due in it and after ``after``.

        A fixed time counts from where the clocks stood before the span: what they skipped is due in it, what they
        repeat is not. The spans begin a day earlier, since the clocks may just have gone back.
        """
        for span in self.clock.spans(after - DAY, end):
            start = span.start + (span.before if self.is_fixed else span.offset)
            if span.start <= after:
                start = max(start, after + 1 + span.offset)
            yield span, start

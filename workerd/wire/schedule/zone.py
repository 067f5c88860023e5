"""A time zone tells what its clocks show, and where they change (``Zone``, ``Span``).

A wall time is what a clock on the wall shows, in seconds since it showed 1970-01-01 00:00. All times here are whole
numbers: Python compares two datetimes of one zone by what the wall shows, so they are never compared.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, tzinfo

DAY = 86_400
STEP = 3 * DAY
"""No zone changes its clocks twice within so short a time, from 1990 on: the shortest time is a week (Gaza, 2040)."""


@dataclass(frozen=True, slots=True)
class Span:
    """Some days or hours in which the clocks do not change; ``before`` is the offset that they had until then."""

    start: int
    end: int
    offset: int
    before: int


@dataclass(frozen=True, slots=True)
class Zone:
    """The clocks of a time zone."""

    rules: tzinfo

    def local(self, second: int) -> datetime:
        return datetime.fromtimestamp(second, self.rules)

    def offset(self, second: int) -> int:
        """Return how many seconds the clocks are ahead of UTC."""
        ahead = self.local(second).utcoffset()
        return 0 if ahead is None else ahead.days * DAY + ahead.seconds

    def spans(self, start: int, end: int) -> Iterator[Span]:
        """Yield spans that follow one another from ``start`` to ``end``, each of three days at most."""
        before = offset = self.offset(start)
        while start < end:
            stop = min(start + STEP, end)
            if self.offset(stop) != offset:
                stop = self._change(start, stop)
            yield Span(start, stop, offset, before)
            start, before, offset = stop, offset, self.offset(stop)

    def moment(self, wall: int) -> int:
        """Return when the clocks show ``wall``: for the first time, or just after the gap that swallows it."""
        spans = self.spans(wall - 2 * DAY, wall + 2 * DAY)
        return next(due for span in spans if (due := max(wall - span.offset, span.start)) < span.end)

    def _change(self, low: int, high: int) -> int:
        """Return the first second after ``low`` at which the offset is another, by bisection."""
        offset = self.offset(low)
        while high - low > 1:
            middle = (low + high) // 2
            if self.offset(middle) == offset:
                low = middle
            else:
                high = middle
        return high

"""The times at which a job's turns start."""

import math
from collections.abc import Callable
from datetime import timedelta


def as_seconds(duration: float | timedelta) -> float:
    """Return ``duration`` in seconds. Raises ValueError for a negative one and for NaN."""
    seconds = duration.total_seconds() if isinstance(duration, timedelta) else float(duration)
    if math.isnan(seconds) or seconds < 0:
        raise ValueError(f"{duration!r} is not a duration: give seconds or a timedelta, from 0 up")
    return seconds


class Turns:
    """Turns that are due ``period_s`` apart by ``clock``, which never goes back; the first one is due at once."""

    def __init__(self, period_s: float, clock: Callable[[], float]) -> None:
        self._period_s = period_s
        self._clock = clock
        self._due = clock()

    def left(self) -> float:
        """Return the seconds until the next turn is due; 0 for a late one."""
        return max(0.0, self._due - self._clock())

    def start_next(self) -> None:
        """Start the turn that is due, and compute when the next one is."""
        now = self._clock()
        # Less than a period late: the next turn keeps the rhythm. Later than that: the rhythm starts again from now,
        # so that missed turns are not made up.
        self._due = self._due if now - self._due < self._period_s else now
        self._due += self._period_s

"""When turns start: a given time apart by the monotonic clock, a late one at once, and none made up."""

import math
import time
from datetime import timedelta


def as_seconds(duration: float | timedelta) -> float:
    """Return ``duration`` in seconds. Raises ValueError for what no clock can wait for."""
    seconds = duration.total_seconds() if isinstance(duration, timedelta) else float(duration)
    if math.isnan(seconds) or seconds < 0:
        raise ValueError(f"{duration!r} is not a duration: give seconds or a timedelta, from 0 up")
    return seconds


class Turns:
    """The times at which turns are due; the first one is now."""

    def __init__(self, period_s: float) -> None:
        self._period_s = period_s
        self._due = time.monotonic()

    def left(self) -> float:
        """Return the seconds until the next turn is due."""
        return max(0.0, self._due - time.monotonic())

    def start_next(self) -> None:
        """Take the turn that is due: the next one counts from when this one should have begun, or began when late."""
        now = time.monotonic()
        self._due = self._due if now - self._due < self._period_s else now
        self._due += self._period_s

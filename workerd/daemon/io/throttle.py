"""Keeps an event that a job's code can cause without end from filling the log: a few at once, then a few a minute."""

from collections.abc import Callable, Hashable

WINDOW_S = 60.0
EVENTS_A_WINDOW = 10
MOST_KEYS = 1000
"""More kinds of events than a daemon has slots that misbehave; beyond it the oldest begin anew."""


class Throttle:
    """Counts, by key, what is let pass and what is not; ``monotonic`` returns seconds."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._windows: dict[Hashable, list[float]] = {}
        """By key: when its window began, how many have passed in it, how many were kept back."""

    def admit(self, key: Hashable) -> int | None:
        """Return how many of this key were kept back since the last one that passed; None where this one is, too."""
        now = self._monotonic()
        window = self._windows.setdefault(key, [now, 0, 0])
        if now - window[0] >= WINDOW_S:
            window[:2] = now, 0
        if window[1] >= EVENTS_A_WINDOW:
            window[2] += 1
            return None
        window[1] += 1
        kept_back, window[2] = int(window[2]), 0
        if len(self._windows) > MOST_KEYS:
            del self._windows[next(iter(self._windows))]
        return kept_back

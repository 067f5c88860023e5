"""The delay before the next try: it doubles with each failure up to a cap, and a success forgets it."""

MAX_DOUBLINGS = 32
"""More could overflow a float; 2**32 times the shortest first delay is beyond every cap."""


def delay_after(doublings: int, initial: float, cap: float) -> float:
    """Return ``initial`` seconds doubled so many times, at most ``cap``."""
    return min(initial * 2.0 ** min(doublings, MAX_DOUBLINGS), cap)


class Backoff:
    """Counts the tries since the last success. Holds no clock: whoever asks adds the delay to its own."""

    def __init__(self, initial: float, cap: float) -> None:
        self._initial = initial
        self._cap = cap
        self._tries = 0

    def next(self) -> float:
        """Return the seconds to wait now; the call after this one returns twice as many."""
        self._tries += 1
        return 0.0 if self._tries == 0 else delay_after(self._tries - 1, self._initial, self._cap)

    def reset(self, *, at_once: bool = False) -> None:
        """Forget the tries: the next delay is ``initial`` again, or none where ``at_once``, and ``initial`` after."""
        self._tries = -1 if at_once else 0

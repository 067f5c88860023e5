"""How much later than asked this machine gives a sleeping thread its turn: the price of its other work, measured."""

import threading
import time
from collections import deque

SLEEP_S = 0.02
FINE_S = 0.002
"""So late every sleep may end, on an idle machine, too."""


class Lateness:
    """Sleeps again and again in a thread; every time limit may be longer by what it overslept meanwhile."""

    def __init__(self) -> None:
        self._late: deque[tuple[float, float]] = deque()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._sleep_on, name="lateness", daemon=True)

    def begin(self) -> None:
        """Measure from now."""
        self._thread.start()

    def end(self) -> None:
        """Measure no more."""
        self._over.set()
        self._thread.join()

    def since(self, began: float, until: float | None = None) -> float:
        """Return the seconds overslept between two moments of the monotonic clock."""
        last = time.monotonic() if until is None else until
        return sum(late for at, late in list(self._late) if began <= at and at - late <= last)

    def note(self, at: float, late: float) -> None:
        """Take that a sleep has ended at this moment, so much later than asked."""
        if late > FINE_S:
            self._late.append((at, late))

    def _sleep_on(self) -> None:
        while not self._over.is_set():
            before = time.monotonic()
            time.sleep(SLEEP_S)
            now = time.monotonic()
            self.note(now, now - before - SLEEP_S)

"""The longest turn of the daemon's loop, and the faults that were under way when it came."""

import threading
from collections.abc import Callable
from contextlib import suppress

from .runner import Soak

LOOK_EVERY_S = 0.25


class Turns:
    """Asks the daemon for its longest turn, in a thread of its own; each life of a daemon counts anew."""

    def __init__(self, soak: Soak, under_way: Callable[[], list[str]]) -> None:
        self._soak = soak
        self._under_way = under_way
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look_on, name="turns", daemon=True)
        self._found: dict[int, tuple[float, list[str]]] = {}

    def begin(self) -> None:
        """Look on from now; what the start has taken does not count."""
        self._thread.start()

    def end(self) -> None:
        """Look on no more."""
        self._over.set()
        self._thread.join()

    def longest(self) -> list[tuple[float, list[str]]]:
        """Return the longest turn of each life in milliseconds, with the faults around it; the longest first."""
        return sorted(self._found.values(), reverse=True)

    def _look_on(self) -> None:
        while not self._over.wait(LOOK_EVERY_S):
            with suppress(OSError, ValueError):
                self._look()

    def _look(self) -> None:
        daemon = self._soak.daemon.picture()["daemon"]
        took = daemon["longest_turn_ms"]
        if took > self._found.get(daemon["pid"], (0.0, []))[0]:
            self._found[daemon["pid"]] = took, self._under_way()

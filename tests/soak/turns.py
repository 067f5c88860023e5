"""The longest turn of the daemon's loop, by the clock and of its own work, and the faults that were under way."""

import threading
from collections.abc import Callable
from contextlib import suppress

from .runner import Soak

LOOK_EVERY_S = 0.25


FIGURES = ("longest_turn_ms", "busiest_turn_ms")
"""By the clock, waits for a processor among it; and by the processor time that the daemon took."""


class Turns:
    """Asks the daemon for its longest turn, in a thread of its own; each life of a daemon counts anew."""

    def __init__(self, soak: Soak, under_way: Callable[[], list[str]]) -> None:
        self._soak = soak
        self._under_way = under_way
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look_on, name="turns", daemon=True)
        self._found: dict[tuple[str, int], tuple[float, list[str]]] = {}

    def begin(self) -> None:
        """Look on from now."""
        self._thread.start()

    def end(self) -> None:
        """Look on no more."""
        self._over.set()
        self._thread.join()

    def figures(self) -> dict[str, tuple[float, list[str]]]:
        """Return the longest turn of all lives in milliseconds, with the faults around it."""
        return {
            figure: max((found for (name, _), found in self._found.items() if name == figure), default=(0.0, []))
            for figure in FIGURES
        }

    def _look_on(self) -> None:
        while not self._over.wait(LOOK_EVERY_S):
            with suppress(OSError, ValueError):
                self._look()

    def _look(self) -> None:
        daemon = self._soak.daemon.picture()["daemon"]
        for figure in FIGURES:
            place = figure, daemon["pid"]
            if daemon[figure] > self._found.get(place, (0.0, []))[0]:
                self._found[place] = daemon[figure], self._under_way()

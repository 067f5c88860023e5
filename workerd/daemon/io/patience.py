"""Waits to see whether something lasts: a timer for each matter, until it is over."""

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from .loop import Loop, Timer

Matter = TypeVar("Matter", bound=Hashable)


class Patience(Generic[Matter]):
    """Calls ``lasted`` with each matter that has gone on for as long as it was given."""

    def __init__(self, loop: Loop, lasted: Callable[[Matter], None]) -> None:
        self._loop = loop
        self._lasted = lasted
        self._timers: dict[Matter, Timer] = {}

    def begin(self, matter: Matter, seconds: float) -> None:
        """Wait ``seconds`` from now on; a wait that has begun goes on."""
        if matter not in self._timers:
            self._timers[matter] = self._loop.call_in(seconds, lambda: self._over(matter))

    def end(self, matter: Matter) -> None:
        """Wait no more, as the matter is over."""
        timer = self._timers.pop(matter, None)
        if timer is not None:
            timer.cancel()

    def _over(self, matter: Matter) -> None:
        del self._timers[matter]
        self._lasted(matter)

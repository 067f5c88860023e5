"""A timer on the boot-time clock, which goes on while the machine sleeps: what is due then, fires when it wakes."""

import time
from collections.abc import Callable

from .clock_timer import ClockTimer
from .loop import Loop, Timer


class BootTimer:
    """Calls when the boot-time clock reaches a moment, which is given anew after each call."""

    def __init__(self, loop: Loop, call: Callable[[], None]) -> None:
        self._loop = loop
        self._call = call
        self._timer = ClockTimer(loop, time.CLOCK_BOOTTIME, call)
        self._fallback: Timer | None = None

    def arm(self, moment: float | None) -> None:
        """Call at ``moment``, boot-time seconds, at once if it has passed; None calls no more."""
        if self._timer.descriptor is not None:
            self._timer.set(moment)
            return
        if self._fallback is not None:
            self._fallback.cancel()
        if moment is not None:
            self._fallback = self._loop.call_in(max(0.0, moment - self._loop.clock.boot()), self._call)

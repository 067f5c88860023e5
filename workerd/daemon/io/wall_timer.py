"""A timer on the machine's real-time clock, which also fires when somebody sets that clock."""

import time
from collections.abc import Callable

from .clock_timer import ClockTimer
from .loop import Loop, Timer

TFD_TIMER_CANCEL_ON_SET = 2
LOOK_S = 30.0
"""Where the kernel has no such timer, the clock is looked at this often, as it may have been set."""


class WallTimer:
    """Calls when the wall clock reaches a moment, when it is set, and when the machine wakes past the moment.

    The moment is given anew after each call: whoever is called looks at the clock.
    """

    def __init__(self, loop: Loop, call: Callable[[], None]) -> None:
        self._loop = loop
        self._call = call
        self._timer = ClockTimer(loop, time.CLOCK_REALTIME, call, TFD_TIMER_CANCEL_ON_SET)
        self._fallback: Timer | None = None

    def arm(self, moment: float | None) -> None:
        """Call at ``moment``, wall seconds (UTC), at once if it has passed; None calls no more."""
        if self._timer.descriptor is None:
            self._arm_fallback(moment)
        else:
            self._timer.set(moment)

    def _arm_fallback(self, moment: float | None) -> None:
        if self._fallback is not None:
            self._fallback.cancel()
        if moment is not None:
            wait = min(max(0.0, moment - self._loop.clock.wall()), LOOK_S)
            self._fallback = self._loop.call_in(wait, self._call)

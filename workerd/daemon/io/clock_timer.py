"""A timer on one of the kernel's clocks, as a descriptor that the loop watches. See timerfd_create(2).

Python has ``os.timerfd_create`` from 3.13 on, so the C library is asked.
"""

import ctypes
import os
from collections.abc import Callable
from contextlib import suppress

from .loop import READ, Loop

TFD_TIMER_ABSTIME = 1


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _Itimerspec(ctypes.Structure):
    _fields_ = (("interval", _Timespec), ("value", _Timespec))


class ClockTimer:
    """Calls when ``clock`` (one of ``time.CLOCK_…``) has reached a moment, which is given anew after each call."""

    def __init__(self, loop: Loop, clock: int, call: Callable[[], None], flags: int = 0) -> None:
        self._call = call
        self._flags = TFD_TIMER_ABSTIME | flags
        self._libc = ctypes.CDLL(None, use_errno=True)
        self.descriptor = _create(self._libc, clock)
        """None where the platform has no such timer."""
        if self.descriptor is not None:
            loop.watch(self.descriptor, READ, lambda _: self._fire())

    def set(self, moment: float | None) -> None:
        """Call at ``moment``, seconds of the clock, at once if it has passed; None calls no more."""
        # 0 disarms; 1 ns after the clock's beginning is in the past, and fires at once
        nanoseconds = max(1, int(moment * 1e9)) if moment is not None else 0
        value = _Itimerspec(_Timespec(0, 0), _Timespec(*divmod(nanoseconds, 10**9)))
        if self._libc.timerfd_settime(self.descriptor, self._flags, ctypes.byref(value), None):
            error = ctypes.get_errno()
            raise OSError(error, os.strerror(error))

    def _fire(self) -> None:
        assert self.descriptor is not None
        with suppress(OSError):  # ECANCELED: the clock was set; EAGAIN: it was armed anew meanwhile
            os.read(self.descriptor, 8)
        self._call()


def _create(libc: ctypes.CDLL, clock: int) -> int | None:
    """Return a timer's descriptor; None where the platform has none."""
    if not hasattr(libc, "timerfd_create"):
        return None
    descriptor = libc.timerfd_create(clock, os.O_NONBLOCK | os.O_CLOEXEC)
    return descriptor if descriptor >= 0 else None

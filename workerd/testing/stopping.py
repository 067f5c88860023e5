"""The request that a job in a test stops, with a limit of real time (``TimedStopRequest``)."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from workerd.child.stopping import StopRequest

from .failures import OutOfTime

SHORTEST_S = 0.001
"""A timer of 0 is none."""


class TimedStopRequest(StopRequest):
    """Asks the job to stop after ``seconds`` of real time, and ends one that goes on for as long after the request.

    Signals reach the main thread alone: in another thread, on a system without SIGALRM, and where somebody else's alarm
    comes sooner, there is no limit.
    """

    def __init__(self, seconds: float | None) -> None:
        super().__init__()
        self._seconds = seconds
        self._is_watching = False
        self._cancel: Callable[[], bool] = bool
        self.is_ignored = False
        """Whether the job has gone on for too long."""

    def ask(self) -> None:
        if not self.asked:
            self._arm()
        super().ask()

    @contextmanager
    def watching(self, cancel: Callable[[], bool]) -> Iterator[None]:
        """Watch the code of the block; ``cancel`` cancels an async job, and returns whether there is one."""
        if self._seconds is None or not _gets_alarms():
            yield
            return
        theirs, interval = signal.getitimer(signal.ITIMER_REAL)
        if 0 < theirs <= self._seconds:
            yield
            return
        begun, handler = time.monotonic(), signal.signal(signal.SIGALRM, self._on_alarm)
        self._cancel, self._is_watching = cancel, True
        self._arm()
        try:
            yield
        finally:
            self._is_watching = False
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, handler)
            if theirs:
                signal.setitimer(signal.ITIMER_REAL, max(SHORTEST_S, theirs - (time.monotonic() - begun)), interval)

    def _arm(self) -> None:
        if self._is_watching and self._seconds is not None:
            seconds = max(SHORTEST_S, self._seconds)
            signal.setitimer(signal.ITIMER_REAL, seconds, seconds)

    def _on_alarm(self, _number: int, _frame: FrameType | None) -> None:
        if not self.asked:
            self.ask_by_signal()
            return
        is_first, self.is_ignored = not self.is_ignored, True
        if not (is_first and self._cancel()):  # a coroutine that blocks its loop cannot be cancelled
            raise OutOfTime


def _gets_alarms() -> bool:
    return hasattr(signal, "SIGALRM") and threading.current_thread() is threading.main_thread()

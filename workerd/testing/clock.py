"""The clock of a job in a test."""

import threading


class Clock:
    """A monotonic clock that moves only where a job waits, and where a test moves it; ``now`` is in seconds."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now
        self._lock = threading.Lock()

    def advance(self, seconds: float) -> None:
        """Move the clock on."""
        with self._lock:  # threads of a job may wait at the same time
            self.now += seconds

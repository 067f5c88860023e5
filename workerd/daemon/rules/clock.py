"""Time, injected so that policy and table are tested without any passing."""

import time
from typing import Protocol

from workerd.wire.lease import boot_time


class Clock(Protocol):
    """Monotonic seconds for every duration; wall seconds (UTC) only for records."""

    def monotonic(self) -> float:
        """Return seconds that never jump."""

    def wall(self) -> float:
        """Return seconds since 1970, for people and rows."""

    def boot(self) -> float:
        """Return seconds since the machine was started, those in which it slept included: for deadlines of seats."""

    def processor(self) -> float:
        """Return the seconds for which this process has had a processor."""


class SystemClock:
    """CLOCK_MONOTONIC (the heartbeat page's clock), CLOCK_REALTIME, CLOCK_BOOTTIME and CLOCK_PROCESS_CPUTIME_ID."""

    def monotonic(self) -> float:
        """Return seconds that never jump."""
        return time.monotonic()

    def wall(self) -> float:
        """Return seconds since 1970, for people and rows."""
        return time.time()

    def boot(self) -> float:
        """Return seconds since the machine was started, those in which it slept included: for deadlines of seats."""
        return boot_time()

    def processor(self) -> float:
        """Return the seconds for which this process has had a processor."""
        return time.process_time()

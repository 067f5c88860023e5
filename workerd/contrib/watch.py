"""A watch over one worker within a consumer: when it took its last turn, and since when it has its task."""

import math
import mmap
import time


class Watch:
    """The notes of one worker, a thread or a process, by which the consumer's main thread knows whether it is stuck.

    They are in memory that a fork shares. Without a task it has to take a turn each ``turn_within_s`` seconds, and it
    may have a task for ``task_within_s``.
    """

    def __init__(self, *, turn_within_s: float = math.inf, task_within_s: float = math.inf) -> None:
        self._turn_within_s = turn_within_s
        self._task_within_s = task_within_s
        self._turned, self._took = 0, 1
        self._notes = memoryview(mmap.mmap(-1, mmap.PAGESIZE)).cast("d")
        self.turn()

    def turn(self) -> None:
        """Note that it looks for a task, and has none."""
        self._notes[self._turned] = time.monotonic()
        self._notes[self._took] = 0

    def take(self) -> None:
        """Note that it begins a task."""
        self._notes[self._took] = time.monotonic()

    def is_stuck(self) -> bool:
        """Return whether it has had its task for too long, or has none and takes no turn."""
        now = time.monotonic()
        if took := self._notes[self._took]:
            return now - took > self._task_within_s
        return now - self._notes[self._turned] > self._turn_within_s

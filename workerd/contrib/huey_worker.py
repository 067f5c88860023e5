"""A HUEY for one worker of huey's consumer, which notes what that worker is at."""

import math
from typing import Any

from .task_lines import lines_of
from .watch import Watch

INTERRUPTED_WITHIN_S = 10.0


class WatchedHuey:
    """The HUEY of one worker, which has to look for a task each ``turn_within_s`` seconds.

    A task without a time limit of its own gets ``task_timeout`` (0: none).
    """

    def __init__(self, huey: Any, *, turn_within_s: float, task_timeout: float) -> None:
        self._huey = huey
        self._task_timeout = task_timeout
        task_within_s = task_timeout + INTERRUPTED_WITHIN_S if task_timeout else math.inf
        self.watch = Watch(turn_within_s=turn_within_s, task_within_s=task_within_s)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._huey, name)

    def dequeue(self) -> Any:
        """Return the next task, if there is one."""
        self.watch.turn()
        return self._huey.dequeue()

    def execute(self, task: Any, timestamp: Any = None) -> None:
        """Do the task."""
        self.watch.take()
        task.timeout = task.timeout or self._task_timeout or None
        with lines_of(task.id, task.name):
            try:
                self._huey.execute(task, timestamp)
            finally:
                self.watch.turn()

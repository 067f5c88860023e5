"""huey's consumer as a job, over the HUEY of djhuey."""

import mmap
import time
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.utils.module_loading import autodiscover_modules
from huey.consumer import Consumer, ConsumerStopped, Worker
from huey.contrib.djhuey import HUEY

from workerd.child.context import JobContext
from workerd.registry import job

from .task_lines import lines_of, show_lines

LOOKS_EVERY_S = 2
TURNS_WITHIN_S = 30.0
"""A worker's turn without a task: as long as huey lets it wait, and so much more."""
INTERRUPTED_WITHIN_S = 10.0
NOT_OURS = {"logfile", "verbose", "simple_log", "health_check_interval", "shutdown_timeout", "graceful_signal"}
"""The keys of ``settings.HUEY["consumer"]`` that say how to log and how to stop, which workerd does."""


class Watched:
    """The HUEY of one worker, which notes when that worker took its last turn, and since when it has its task.

    The notes are in memory that a worker's process shares with the consumer's.
    """

    def __init__(self, huey: Any, task_timeout: float) -> None:
        self._huey = huey
        self._timeout = task_timeout
        self._turned, self._took = 0, 1
        self._notes = memoryview(mmap.mmap(-1, mmap.PAGESIZE)).cast("d")
        self._notes[self._turned] = time.monotonic()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._huey, name)

    def dequeue(self) -> Any:
        """Return the next task, if there is one."""
        self._notes[self._turned] = time.monotonic()
        return self._huey.dequeue()

    def execute(self, task: Any, timestamp: Any = None) -> None:
        """Do the task."""
        self._notes[self._took] = time.monotonic()
        task.timeout = task.timeout or self._timeout or None
        with lines_of(task.id, task.name):
            try:
                self._huey.execute(task, timestamp)
            finally:
                self._notes[self._took] = 0

    def is_stuck(self, turns_within: float) -> bool:
        """Return whether its worker neither turns, nor has a task, or has had that for too long."""
        now = time.monotonic()
        if took := self._notes[self._took]:
            return bool(self._timeout and now - took > self._timeout + INTERRUPTED_WITHIN_S)
        return now - self._notes[self._turned] > turns_within


class BeatingConsumer(Consumer):
    """A consumer that beats from its own loop, as long as each of its workers turns or works.

    A worker that has died is replaced by huey before it counts as stuck.
    """

    def __init__(self, context: JobContext, task_timeout: float, **options: Any) -> None:
        self._context = context
        self._task_timeout = task_timeout
        super().__init__(HUEY, graceful_signal="TERM", health_check_interval=LOOKS_EVERY_S, **options)

    def start(self) -> None:
        """Start the workers and the scheduler."""
        super().start()
        self._context.ready()

    def loop(self, health_check_ts: float | None = None) -> Any:
        """Look for the end and at the workers, and beat."""
        if self._context.stopping:
            self.stop(graceful=True)
            raise ConsumerStopped
        if not any(worker.huey.is_stuck(TURNS_WITHIN_S + self.max_delay) for worker, _ in self.worker_threads):
            self._context.beat()
        return super().loop(health_check_ts)

    def _create_worker(self) -> Worker:
        worker = super()._create_worker()
        worker.huey = Watched(self.huey, self._task_timeout)
        return worker

    def _set_signal_handlers(self) -> None:
        """Leave the signals to workerd, which knows the row's."""


@job
def worker(context: JobContext, workers: int = 0, worker_type: str = "", task_timeout: float = 0) -> None:
    """Run a huey consumer; ``worker_type`` is thread or process, and what is not given is as the settings say.

    A task that takes longer than ``task_timeout`` seconds (0: any) is interrupted in a process; among threads, which
    huey cannot interrupt, the consumer counts as hung.
    """
    show_lines("huey")
    given = getattr(settings, "HUEY", None)
    settled: Mapping[str, Any] = given.get("consumer", {}) if isinstance(given, dict) else {}
    options = {name: value for name, value in settled.items() if name not in NOT_OURS}
    options |= {"workers": workers} if workers else {}
    options |= {"worker_type": worker_type} if worker_type else {}
    options["periodic"] = options.get("periodic", True) and context.index == 0  # each enqueues them: one will do
    autodiscover_modules("tasks")
    BeatingConsumer(context, task_timeout, **options).run()

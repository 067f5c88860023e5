"""huey's consumer, which beats for its workers."""

from typing import Any

from huey.consumer import Consumer, ConsumerStopped, Worker
from huey.contrib.djhuey import HUEY

from workerd.child.context import JobContext

from .huey_worker import WatchedHuey

LOOKS_EVERY_S = 2
TURNS_WITHIN_S = 30.0
"""A worker's turn without a task: as long as huey lets it wait, and so much more."""


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
        if not any(worker.huey.watch.is_stuck() for worker, _ in self.worker_threads):
            self._context.beat()
        return super().loop(health_check_ts)

    def _create_worker(self) -> Worker:
        worker = super()._create_worker()
        turn_within_s = TURNS_WITHIN_S + self.max_delay
        worker.huey = WatchedHuey(self.huey, turn_within_s=turn_within_s, task_timeout=self._task_timeout)
        return worker

    def _set_signal_handlers(self) -> None:
        """Leave the signals to workerd, which knows the row's."""

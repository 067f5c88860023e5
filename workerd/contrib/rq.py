"""RQ's worker as a job, over the queues of django-rq."""

import sys
import threading
from contextlib import suppress
from typing import Any, Self

from django_rq.workers import get_worker
from redis.backoff import AbstractBackoff
from redis.retry import Retry
from rq.exceptions import StopRequested
from rq.suspension import is_suspended
from rq.worker import Worker, WorkerStatus

from workerd.child.context import JobContext
from workerd.registry import job

from .naming import consumer_name
from .task_lines import lines_of, show_lines

BEAT_S = 1
ANSWERS_WITHIN_S = 5
"""How long Redis may take to answer until it counts as away; shorter than a heartbeat timeout should be."""


class BeatingWorker(Worker):
    """A worker that beats from its own loop: idle, with a job in hand, suspended, or waiting for Redis.

    It stops between two jobs only: an exception at a signal, as RQ raises it, may lose a job that has left its queue.
    """

    context: JobContext
    connection_timeout = ANSWERS_WITHIN_S

    def __init__(self, queues: Any, *args: Any, **kwargs: Any) -> None:
        for queue in queues:
            queue.connection.set_retry(Retry(Patience(self), retries=-1))
        super().__init__(queues, *args, **kwargs)

    def heartbeat(self, *args: Any, **kwargs: Any) -> None:
        """Tell Redis, and workerd."""
        super().heartbeat(*args, **kwargs)
        self.context.beat()

    def check_for_suspension(self, _burst: bool) -> None:
        """Leave it to the wait for a job: RQ looks before it only, and takes another one that comes meanwhile."""

    def dequeue_job_and_maintain_ttl(self, *_args: Any) -> Any:
        """Return the next job and its queue, unless RQ's workers are suspended."""
        self.context.ready()
        while not self.context.stopping:
            if is_suspended(self.connection, self):
                self.set_state(WorkerStatus.SUSPENDED)
                self.context.wait(BEAT_S)
            elif found := super().dequeue_job_and_maintain_ttl(BEAT_S, max_idle_time=BEAT_S):
                return found
        raise StopRequested

    def execute_job(self, job: Any, queue: Any) -> None:
        """Have a process of its own do the job, and wait for it."""
        name = str(job.description).partition("(")[0]  # the name itself would have this process load the arguments
        with lines_of(job.id, name):
            super().execute_job(job, queue)

    def teardown(self) -> None:
        """Tell Redis of the end, if it is there."""
        with suppress(StopRequested):
            super().teardown()

    def _install_signal_handlers(self) -> None:
        """Leave the signals to workerd, which knows the row's."""


class Patience(AbstractBackoff):
    """Waits for a Redis that is away, without end: until the worker is to stop, and has no job in hand."""

    def __init__(self, worker: BeatingWorker) -> None:
        self._worker = worker

    def __deepcopy__(self, _memo: Any) -> Self:
        return self

    def compute(self, failures: int) -> float:
        """Return how many seconds to wait until the next try."""
        if threading.current_thread() is threading.main_thread():
            self._beat(failures)
        return BEAT_S

    def _beat(self, failures: int) -> None:
        worker = self._worker
        worker.context.beat()
        if failures == 1:
            worker.log.warning("Redis is away: %s", sys.exception())
        if worker.context.stopping and not worker.horse_pid and not worker.is_horse:
            raise StopRequested


@job
def worker(context: JobContext, queues: str = "default") -> None:
    """Run an RQ worker for ``queues``, names with spaces between them; it forks a process for each job of RQ's."""
    work(context, queues)


def work(context: JobContext, queues: str, **kwargs: Any) -> None:
    """Run a worker with more arguments than the job has."""
    show_lines("rq")
    BeatingWorker.context = context
    options = {"name": consumer_name(context), "job_monitoring_interval": BEAT_S}
    with suppress(StopRequested):
        get_worker(*queues.split(), worker_class=BeatingWorker, **options, **kwargs).work(logging_level=None)

"""RQ's worker as a job, over the queues of django-rq."""

from typing import Any

from django_rq.workers import get_worker
from rq.worker import Worker

from workerd.child.context import JobContext
from workerd.registry import job

from .naming import consumer_name

BEAT_S = 2


class BeatingWorker(Worker):
    """A worker that beats from its own loop, idle or with a job in hand."""

    context: JobContext
    max_connection_wait_time = BEAT_S

    @property
    def dequeue_timeout(self) -> int:
        """Return how many seconds it may wait for a job until it beats again."""
        return BEAT_S

    def heartbeat(self, *args: Any, **kwargs: Any) -> None:
        """Tell Redis, and workerd."""
        super().heartbeat(*args, **kwargs)
        self.context.beat()


@job
def worker(context: JobContext, queues: str = "default") -> None:
    """Run an RQ worker for ``queues``, names with spaces between them; it forks a process for each job of RQ's."""
    work(context, queues)


def work(context: JobContext, queues: str, **kwargs: Any) -> None:
    """Run a worker with more arguments than the job has."""
    options = {"name": consumer_name(context), "job_monitoring_interval": BEAT_S}
    found = get_worker(*queues.split(), worker_class=BeatingWorker, **options, **kwargs)
    found.context = context
    context.ready()
    found.work(with_scheduler=False)

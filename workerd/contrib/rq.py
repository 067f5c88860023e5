"""RQ's worker as a job, over the queues of django-rq."""

from contextlib import suppress
from typing import Any

from django_rq.workers import get_worker
from rq.exceptions import StopRequested

from workerd.child.context import JobContext
from workerd.registry import job

from .naming import consumer_name
from .rq_worker import BEAT_S, BeatingWorker
from .task_lines import show_lines


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

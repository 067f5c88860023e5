"""The workers of the backends of Django's own tasks, as jobs; each imports the package of its own backend alone."""

from workerd.child.context import JobContext
from workerd.contrib.naming import consumer_name
from workerd.registry import job


@job
def db_worker(
    context: JobContext,
    queues: str = "default",
    *,
    backend: str = "default",
    interval: float = 1.0,
    task_timeout: float | None = None,
    requeue_lost: bool = False,
) -> None:
    """Run the worker of django-tasks-db for ``queues``, names with spaces between them; “*” stands for all.

    A task may take ``task_timeout`` seconds, or as many as the row's heartbeat timeout has. One that is in hand when
    its worker is killed stays RUNNING for ever; with ``requeue_lost`` it is done again.
    """
    from .database import BeatingWorker
    from .lost import LostTasks

    name = consumer_name(context)
    lost_tasks = LostTasks(backend, name) if requeue_lost else None
    options = {"worker_id": name, "queue_names": queues.split(), "backend_name": backend, "interval": interval}
    BeatingWorker(context, task_timeout=task_timeout, lost_tasks=lost_tasks, **options).work()


@job
def rq_worker(context: JobContext, queues: str = "default") -> None:
    """Run RQ's worker for django-tasks-rq's tasks in ``queues``, names with spaces between them."""
    from django_tasks_rq import Job

    from workerd.contrib.rq import work

    work(context, queues, job_class=Job)


@job
def steady_queue(context: JobContext, task_timeout: float = 25.0) -> None:
    """Run the processes of Steady Queue that the setting STEADY_QUEUE names.

    At a stop their tasks have ``task_timeout`` seconds to end; give the row a longer stop timeout.
    """
    from .steady import work

    work(context, task_timeout)


@job
def ox_worker(
    context: JobContext, queues: str = "", backend: str = "default", concurrency: int = 1, interval: float = 1.0
) -> None:
    """Run the worker of django-ox for ``queues``, names with spaces between them; all where it names none."""
    from .ox import work

    work(context, queues.split(), backend, concurrency, interval)

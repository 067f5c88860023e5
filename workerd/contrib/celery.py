"""Celery's worker and its beat as jobs, for the project's own app."""

import sys
from typing import Literal

from celery.beat import Service

from workerd.child.context import JobContext
from workerd.registry import job

from .celery_app import find_app
from .celery_beat_loop import send_due_tasks
from .celery_logs import tell_tasks_apart
from .celery_worker import BeatingWorker


@job
def worker(
    context: JobContext,
    queues: str = "",
    *,
    pool: Literal["prefork", "solo", "threads"] = "prefork",
    concurrency: int | None = None,
    task_time_limit: float | None = None,
    task_soft_time_limit: float | None = None,
    max_tasks_per_child: int | None = None,
    prefetch_multiplier: int | None = None,
    loglevel: Literal["", "DEBUG", "INFO", "WARNING", "ERROR"] = "",
) -> None:
    """Run a Celery worker for ``queues``, names with commas between them; what is left out is as Celery's settings say.

    ``loglevel`` is that of Celery's own loggers and of those of tasks; without it the project's LOGGING says.
    """
    app = find_app()
    tell_tasks_apart(loglevel)
    found = BeatingWorker(
        context,
        app,
        queues=queues or None,
        pool=pool,
        concurrency=concurrency,
        task_time_limit=task_time_limit,
        task_soft_time_limit=task_soft_time_limit,
        max_tasks_per_child=max_tasks_per_child,
        prefetch_multiplier=prefetch_multiplier,
    )
    found.start()
    sys.exit(found.exitcode)


@job
def beat(context: JobContext, schedule_filename: str = "", scheduler: str = "") -> None:
    """Run Celery's beat, which is to run once; what is left out is as Celery's settings say."""
    app = find_app()
    app.loader.init_worker()
    tell_tasks_apart("")
    names = {"schedule_filename": schedule_filename, "scheduler_cls": scheduler or app.conf.beat_scheduler}
    send_due_tasks(context, Service(app, **names))

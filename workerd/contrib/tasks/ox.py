"""The worker of django-ox: it beats where the engine itself would for a health check."""

import logging
import os
from typing import Any

from django_ox.timeouts import RECYCLE_EXIT_CODE
from django_ox.worker import Worker, worker_class

from workerd.child.context import JobContext
from workerd.contrib.task_lines import lines_of, show_lines


class Beating(Worker):
    """Laid over the backend's own class of workers: the loop beats, idle, with tasks in hand, or at its end."""

    context: JobContext

    def _beat(self) -> None:
        super()._beat()
        self.context.ready()
        self.context.beat()
        if self.context.stopping:
            self.request_stop()

    def execute(self, db_task: Any, **kwargs: Any) -> None:
        with lines_of(str(db_task.pk), db_task.task_path):
            super().execute(db_task, **kwargs)


def work(context: JobContext, queues: list[str], backend: str, concurrency: int, interval: float) -> None:
    """Run a worker until asked to stop, or until it asks for a fresh process."""
    show_lines("django_ox")
    cls: Any = type("BeatingWorker", (Beating, worker_class(backend)), {"context": context})
    worker = cls(
        backend_alias=backend,
        queues=queues or None,
        concurrency=concurrency,
        poll_interval=interval,
        worker_index=context.index,
    )
    worker.run()
    if worker.recycling:  # a thread that hangs is left: the end of an interpreter would wait for it
        logging.shutdown()
        os._exit(RECYCLE_EXIT_CODE)

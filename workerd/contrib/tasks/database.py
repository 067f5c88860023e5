"""The worker of django-tasks-db: it beats as it looks for tasks, and waits where its database is away."""

from typing import Any

from django.db import InterfaceError, OperationalError
from django_tasks_db.management.commands.db_worker import Worker
from django_tasks_db.models import DBTaskResult

from workerd.child.context import JobContext
from workerd.contrib.outage import Outage
from workerd.contrib.task_lines import lines_of, show_lines

from .lost import LostTasks


class BeatingWorker(Worker):
    """A worker that beats before it looks for a task; it has one loop for that and for the tasks themselves.

    A task may take ``task_timeout`` seconds; with None, as many as the row's heartbeat timeout has.
    """

    def __init__(
        self, context: JobContext, *, task_timeout: float | None, lost_tasks: LostTasks | None, **options: Any
    ) -> None:
        self._context = context
        self._task_timeout = task_timeout
        self._lost_tasks = lost_tasks
        super().__init__(excluded_queue_names=[], startup_delay=False, batch=False, max_tasks=None, **options)

    @property
    def running(self) -> bool:
        """Return whether it is to look for another task: the engine asks that each time, with no task in hand."""
        self._context.beat()
        if self._lost_tasks:
            self._lost_tasks.requeue_if_due()
        return not self._context.stopping

    @running.setter
    def running(self, value: bool) -> None:
        """Take what the engine sets at its start: only the context knows of a stop."""

    def work(self) -> None:
        """Run until asked to stop, whatever becomes of the database."""
        show_lines("django_tasks_db")
        outage = Outage(self._context, "the database", OperationalError, InterfaceError)
        self._context.ready()
        while not self._context.stopping:
            with outage:
                self.run()
            if self._lost_tasks:
                self._lost_tasks.look_at_once()
            self._context.wait(self.interval)

    def run_task(self, db_task_result: DBTaskResult) -> None:
        self._context.beat(f"task {db_task_result.pk}", within=self._task_timeout)
        with lines_of(str(db_task_result.pk), db_task_result.task_path):
            super().run_task(db_task_result)

"""The worker of django-tasks-db: it beats as it looks for tasks, and waits where its database is away."""

import logging
import time

from django.db import InterfaceError, OperationalError
from django.tasks import TaskResultStatus
from django_tasks_db.management.commands.db_worker import Worker
from django_tasks_db.models import DBTaskResult

from workerd.child.context import JobContext
from workerd.contrib.naming import consumer_name, has_ended
from workerd.contrib.task_lines import lines_of, show_lines

LOST_EVERY_S = 10.0
log = logging.getLogger(__name__)


class BeatingWorker(Worker):
    """A worker that beats before it looks for a task; it has one loop for that and for the tasks themselves."""

    def __init__(
        self,
        context: JobContext,
        queues: list[str],
        backend: str,
        interval: float,
        task_timeout: float | None,
        *,
        requeue_lost: bool,
    ) -> None:
        self.context = context
        self.task_timeout = task_timeout
        self.requeue_lost = requeue_lost
        self.next_requeue = 0.0
        super().__init__(
            queue_names=queues,
            excluded_queue_names=[],
            backend_name=backend,
            interval=interval,
            worker_id=consumer_name(context),
            startup_delay=False,
            batch=False,
            max_tasks=None,
        )

    @property
    def running(self) -> bool:
        """Return whether it is to look for another task: the engine asks that each time, with no task in hand."""
        self.context.beat()
        if self.requeue_lost and time.monotonic() > self.next_requeue:
            self.next_requeue = time.monotonic() + LOST_EVERY_S
            self.requeue()
        return not self.context.stopping

    @running.setter
    def running(self, value: bool) -> None:
        """Take what the engine sets at its start: only the context knows of a stop."""

    def work(self) -> None:
        """Run until asked to stop, whatever becomes of the database."""
        show_lines("django_tasks_db")
        self.context.ready()
        while not self.context.stopping:
            try:
                self.run()
            except (OperationalError, InterfaceError) as error:
                log.warning("the database is away: %s", error)
                self.next_requeue = 0.0  # its answer to a claim may be lost, and so is the end of a task
                self.context.wait(self.interval)

    def run_task(self, db_task_result: DBTaskResult) -> None:
        self.context.beat(f"task {db_task_result.pk}", within=self.task_timeout)
        with lines_of(str(db_task_result.pk), db_task_result.task_path):
            super().run_task(db_task_result)

    def requeue(self) -> None:
        """Give back the tasks of workers that have ended, and of this one, which has none in hand."""
        for lost in DBTaskResult.objects.running().filter(backend_name=self.backend_name):
            name = lost.worker_ids[-1]
            if name == self.worker_id or has_ended(name):
                log.warning("task %s of %s is done again", lost.pk, name, extra={"task_id": str(lost.pk)})
                same = DBTaskResult.objects.running().filter(pk=lost.pk, worker_ids=lost.worker_ids)
                same.update(status=TaskResultStatus.READY)

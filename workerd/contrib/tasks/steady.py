"""The processes of Steady Queue: their supervisor beats as it looks after them, and its workers end their tasks."""

import logging
from datetime import timedelta
from functools import partial
from signal import SIGTERM
from typing import Any

import steady_queue
from django.conf import settings
from django.db import InterfaceError, OperationalError, connections
from django.utils.module_loading import autodiscover_modules
from steady_queue.configuration import Configuration
from steady_queue.db_router import steady_queue_database_alias
from steady_queue.models.claimed_execution import ClaimedExecution
from steady_queue.processes.supervisor import Supervisor
from steady_queue.processes.worker import Worker

from workerd.child.context import JobContext
from workerd.contrib.task_lines import lines_of, show_lines

log = logging.getLogger(__name__)


class FinishingWorker(Worker):
    """A worker that ends the tasks in hand before it gives back what it has claimed; else they were done twice."""

    def claim_executions(self) -> Any:
        claimed = list(super().claim_executions())
        for execution in claimed:
            execution.perform = partial(_perform, execution)
        return claimed

    def shutdown(self) -> None:
        self.pool.executor.shutdown(wait=True)
        super().shutdown()


def _perform(execution: ClaimedExecution) -> None:
    with lines_of(str(execution.job_id), execution.job.class_name):
        ClaimedExecution.perform(execution)


class Process(Configuration.Process):
    """One of the configured processes."""

    def instantiate(self) -> Any:
        return FinishingWorker(options=self.attributes) if self.kind == "worker" else super().instantiate()


class BeatingSupervisor(Supervisor):
    """The supervisor, which beats each time that it looks after its processes."""

    context: JobContext

    @classmethod
    def work(cls, context: JobContext, task_timeout: float) -> None:
        """Run until asked to stop."""
        show_lines("steady_queue")
        cls.context = context
        steady_queue.shutdown_timeout = timedelta(seconds=task_timeout)
        autodiscover_modules("tasks")
        cls.launch(getattr(settings, "STEADY_QUEUE", None))

    def register_signal_handlers(self) -> None:
        """Leave the signals to workerd: ``set_procline`` looks whether one came."""

    def restore_default_signal_handlers(self) -> None:
        """Leave them at the end, too."""

    def start_processes(self) -> None:
        for process in self.configuration.configured_processes:
            self.start_process(Process(process.kind, process.attributes))
        self.context.ready()

    def set_procline(self) -> None:
        """Beat: the loop comes here each second."""
        self.context.beat()
        if self.context.stopping:
            self.handle_signal(SIGTERM)

    @property
    def are_all_forks_terminated(self) -> bool:
        """Beat in the midst of a stop, too."""
        self.context.beat()
        done: bool = super().are_all_forks_terminated
        return done

    def replace_fork(self, pid: int, wait_status: int) -> None:
        """Wait for a database that is away, which is what its processes end of."""
        database = connections[steady_queue_database_alias()]
        while not self.context.stopping:
            try:
                database.ensure_connection()
                break
            except (OperationalError, InterfaceError) as error:
                log.warning("the database is away: %s", error)
                self.context.wait(1.0)
        super().replace_fork(pid, wait_status)

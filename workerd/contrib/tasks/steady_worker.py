"""The processes of Steady Queue whose worker ends its tasks."""

from functools import partial
from typing import Any

from steady_queue.configuration import Configuration
from steady_queue.models.claimed_execution import ClaimedExecution
from steady_queue.processes.worker import Worker

from workerd.contrib.task_lines import lines_of


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


class Process(Configuration.Process):
    """One of the configured processes."""

    def instantiate(self) -> Any:
        return FinishingWorker(options=self.attributes) if self.kind == "worker" else super().instantiate()


def _perform(execution: ClaimedExecution) -> None:
    with lines_of(str(execution.job_id), execution.job.class_name):
        ClaimedExecution.perform(execution)

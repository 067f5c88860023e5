"""RQ's worker, which beats, and stops between two jobs."""

from typing import Any

from rq.exceptions import StopRequested
from rq.suspension import is_suspended
from rq.worker import WorkerStatus

from .rq_patient_worker import PatientWorker
from .task_lines import lines_of

BEAT_S = 1


class BeatingWorker(PatientWorker):
    """A worker that beats from its own loop: idle, with a job in hand, suspended, or waiting for Redis.

    It stops between two jobs only: an exception at a signal, as RQ raises it, may lose a job that has left its queue.
    """

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

    def _install_signal_handlers(self) -> None:
        """Leave the signals to workerd, which knows the row's."""

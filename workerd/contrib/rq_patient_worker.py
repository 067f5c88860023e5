"""RQ's worker, which waits for a Redis that is away."""

from contextlib import suppress
from typing import Any

from redis.retry import Retry
from rq.exceptions import StopRequested
from rq.worker import Worker

from workerd.child.context import JobContext

from .rq_patience import Patience

ANSWERS_WITHIN_S = 5
"""How long Redis may take to answer until it counts as away; shorter than a heartbeat timeout should be."""


class PatientWorker(Worker):
    """A worker that waits without end, also its work-horse with the result."""

    context: JobContext
    connection_timeout = ANSWERS_WITHIN_S

    def __init__(self, queues: Any, *args: Any, **kwargs: Any) -> None:
        for queue in queues:
            queue.connection.set_retry(Retry(Patience(self.context, self.has_job), retries=-1))
        super().__init__(queues, *args, **kwargs)

    def has_job(self) -> bool:
        """Return whether it waits for a work-horse, or is one."""
        return bool(self.horse_pid or self.is_horse)

    def teardown(self) -> None:
        """Tell Redis of the end, if it is there."""
        with suppress(StopRequested):
            super().teardown()

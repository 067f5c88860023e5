"""The wait of RQ's client for a Redis that is away."""

import sys
import threading
from collections.abc import Callable
from typing import Any, Self

from redis.backoff import AbstractBackoff
from rq.exceptions import StopRequested

from workerd.child.context import JobContext

from .outage import Outage

RETRY_S = 1


class Patience(AbstractBackoff):
    """Waits without end: until the worker is to stop, and has no job in hand."""

    def __init__(self, context: JobContext, has_job: Callable[[], bool]) -> None:
        self._context = context
        self._has_job = has_job
        self._outage = Outage(context, "Redis")

    def __deepcopy__(self, _memo: Any) -> Self:
        return self

    def compute(self, failures: int) -> float:  # noqa: ARG002 - the client calls it so
        """Return how many seconds to wait until the next try."""
        if threading.current_thread() is threading.main_thread():
            self._outage.goes_on(sys.exception())
            if self._context.stopping and not self._has_job():
                raise StopRequested
        return RETRY_S

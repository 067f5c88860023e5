"""django-q2's sentinel as the main process, which beats as it guards the others."""

import os
import signal
import uuid
from multiprocessing import Event
from typing import Any

from django_q.cluster import Sentinel

from workerd.child.context import JobContext


class StopEvent:
    """Stands where the engine has an event that its main process sets: here the sentinel is the main process."""

    def __init__(self, context: JobContext) -> None:
        self._context = context

    def is_set(self) -> bool:
        return self._context.stopping

    def wait(self, seconds: float) -> bool:
        return self._context.wait(seconds)


class BeatingSentinel(Sentinel):
    """The sentinel, which beats each time that it tells its state: as it guards its processes, and as it stops them.

    A task may take ``timeout`` seconds; with None, as many as Q_CLUSTER says.
    """

    def __init__(self, context: JobContext, timeout: int | None) -> None:
        self.context = context
        handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        stop: Any = StopEvent(context)
        super().__init__(stop, Event(), uuid.UUID(context.run_id), timeout=timeout, start=False)
        for number, handler in handlers.items():  # the engine's sentinel ignores the one and ends at the other
            signal.signal(number, handler)
        self.parent_pid = os.getpid()

    def status(self) -> str:
        self.context.beat()
        state: str = super().status()
        return state

    def guard(self) -> None:
        self.context.ready()
        super().guard()

"""The cluster of django-q2 as a job."""

import os
import signal
import uuid
from multiprocessing import Event
from typing import Any

from django_q.cluster import Sentinel
from django_q.conf import Conf
from django_q.signals import pre_execute
from structlog.contextvars import bind_contextvars

from workerd.child.context import JobContext
from workerd.registry import job

from .task_lines import show_lines


class StopEvent:
    """Stands where the engine has an event that its main process sets: here the sentinel is the main process."""

    def __init__(self, context: JobContext) -> None:
        self._context = context

    def is_set(self) -> bool:
        return self._context.stopping

    def wait(self, seconds: float) -> bool:
        return self._context.wait(seconds)


class BeatingSentinel(Sentinel):
    """The sentinel, which beats each time that it tells its state: as it guards its processes, and as it stops them."""

    context: JobContext

    def status(self) -> str:
        self.context.beat()
        state: str = super().status()
        return state

    def guard(self) -> None:
        self.context.ready()
        super().guard()


@job
def cluster(context: JobContext, timeout: int | None = None) -> None:
    """Run a cluster of django-q2: a sentinel, its pusher, its monitor and its workers.

    ``timeout`` is how many seconds a task may take; without it Q_CLUSTER says so.
    """
    show_lines("django-q", Conf.LOG_LEVEL)
    pre_execute.connect(_name_lines, dispatch_uid=__name__)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    stop: Any = StopEvent(context)
    sentinel = BeatingSentinel(stop, Event(), uuid.UUID(context.run_id), timeout=timeout, start=False)
    for number, handler in handlers.items():  # the engine's sentinel ignores the one and ends at the other
        signal.signal(number, handler)
    sentinel.context = context
    sentinel.parent_pid = os.getpid()
    sentinel.start()


def _name_lines(task: Any, **_: Any) -> None:
    """Have all that one of the workers logs from here up to its next task carry this one."""
    bind_contextvars(task_id=task["id"], task_name=task["name"])

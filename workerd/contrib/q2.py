"""The cluster of django-q2 as a job."""

from typing import Any

from django_q.conf import Conf
from django_q.signals import pre_execute
from structlog.contextvars import bind_contextvars

from workerd.child.context import JobContext
from workerd.registry import job

from .q2_sentinel import BeatingSentinel
from .task_lines import show_lines


@job
def cluster(context: JobContext, timeout: int | None = None) -> None:
    """Run a cluster of django-q2: a sentinel, its pusher, its monitor and its workers.

    ``timeout`` is how many seconds a task may take; without it Q_CLUSTER says so.
    """
    show_lines("django-q", Conf.LOG_LEVEL)
    pre_execute.connect(_name_lines, dispatch_uid=__name__)
    BeatingSentinel(context, timeout).start()


def _name_lines(task: Any, **_: Any) -> None:
    """Have all that one of the workers logs from here up to its next task carry this one."""
    bind_contextvars(task_id=task["id"], task_name=task["name"])

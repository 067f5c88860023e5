"""steady-queue: a supervisor that forks a worker and a dispatcher, with the database as its queue."""

from functools import cache
from typing import Any

from tests.fidelity.case import Case

CASE = Case(
    "steady-queue",
    "steady_queue",
    ("steady-queue==0.3.0", "Django==6.1.3"),
    apart=True,
    oldest=(3, 12),
    apps=("steady_queue",),
)


def settings() -> dict[str, Any]:
    return {"TASKS": {"default": {"BACKEND": "steady_queue.backend.SteadyQueueBackend", "QUEUES": ["default"]}}}


def define() -> Any:
    return get_task().enqueue


@cache
def get_task() -> Any:
    """Return the task, which its package finds by the name of its function in this module."""
    from django.tasks import task

    from tests.fidelity.site.work import make_task

    return make_task(task, __name__)


def __getattr__(name: str) -> Any:
    """The task, made when its worker asks for it."""
    if name != "run":
        raise AttributeError(name)
    return get_task()

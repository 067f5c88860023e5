"""django-tasks-db: its worker, with the database as its queue."""

from functools import cache
from typing import Any

from tests.fidelity.case import Case

CASE = Case(
    "django-tasks-db",
    "db_worker --interval 0.1",
    ("django-tasks-db==0.13.0", "django-tasks[compat]==0.12.0"),
    apps=("django_tasks_db",),
    noise=(r"worker_id=\w+",),
    columns=("django_tasks_database_dbtaskresult.status",),
)


def settings() -> dict[str, Any]:
    return {"TASKS": {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}}


def define() -> Any:
    return get_task().enqueue


@cache
def get_task() -> Any:
    """Return the task, which its package finds by the name of its function in this module."""
    from django_tasks import task

    from tests.fidelity.site.work import make_task

    return make_task(task, __name__)


def __getattr__(name: str) -> Any:
    """The task, made when its worker asks for it."""
    if name != "run":
        raise AttributeError(name)
    return get_task()

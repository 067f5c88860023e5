"""django-tasks-db: its worker, with the database as its queue."""

from typing import Any

from tests.fidelity.case import Case

CASE = Case(
    "django-tasks-db",
    "db_worker --interval 0.1",
    ("django-tasks", "django-tasks-db"),
    apps=("django_tasks", "django_tasks_db"),
    columns=("django_tasks_db_dbtaskresult.status",),
)


def settings() -> dict[str, Any]:
    return {"TASKS": {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}}


def define() -> Any:
    from django_tasks import task

    from tests.fidelity.site import work

    work.work = task()(work.work)
    return work.work.enqueue

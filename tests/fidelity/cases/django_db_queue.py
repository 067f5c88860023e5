"""django-db-queue: its worker, with the database as its queue."""

from typing import Any

from tests.fidelity.case import Case

CASE = Case(
    "django-db-queue", "worker", ("django-db-queue==3.3.0",), apps=("django_dbq",), columns=("django_dbq_job.state",)
)


def settings() -> dict[str, Any]:
    return {"JOBS": {"work": {"tasks": ["tests.fidelity.cases.django_db_queue.run"]}}}


def run(job: Any) -> None:
    from tests.fidelity.site.work import work

    work(**job.workspace)


def define() -> Any:
    from django_dbq.models import Job

    return lambda name, seconds: Job.objects.create(name="work", workspace={"name": name, "seconds": seconds})

"""procrastinate: its worker in an event loop, on PostgreSQL."""

from typing import Any

from tests.fidelity.case import Case

CASE = Case(
    "procrastinate",
    "procrastinate worker",
    ("procrastinate[django]==3.10.0",),
    apps=("procrastinate.contrib.django",),
    needs=frozenset({"postgres"}),
    columns=("procrastinate_jobs.status",),
)


def define() -> Any:
    from procrastinate.contrib.django import app

    from tests.fidelity.site.work import work

    task = app.task(name="work")(work)
    return lambda name, seconds: task.defer(name=name, seconds=seconds)

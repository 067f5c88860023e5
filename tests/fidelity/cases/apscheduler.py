"""django-apscheduler: the command of its README, which runs a scheduler with the database as its store."""

from typing import Any

from tests.fidelity.case import Case

CASE = Case(
    "django-apscheduler",
    "schedule",
    ("django-apscheduler==0.7.0",),
    apps=("django_apscheduler",),
    beforehand=True,
    shown="the command of its README",
)


def define() -> Any:
    from tests.fidelity.site.management.commands.schedule import add

    return add

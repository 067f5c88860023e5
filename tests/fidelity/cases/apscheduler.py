"""django-apscheduler: the command of its README, which runs a scheduler with the database as its store."""

from typing import Any

from tests.fidelity.case import Case

CASE = Case("django-apscheduler", "schedule", apps=("django_apscheduler",), shown="the command of its README")


def define() -> Any:
    from tests.fidelity.site.management.commands.schedule import add

    return add

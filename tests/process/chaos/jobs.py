"""The job of the chaos tests; the others are the shop's."""

import os
import uuid

from django.db import connections

from shop.books import recording_violations
from shop.models import Setting
from shop.movements import expect
from workerd import JobContext, job


@job
def ask_everywhere(context: JobContext, pause: float = 0.02) -> None:
    """Asks each database for what only this process can know, and checks that the answer is that."""
    for _ in context.every(pause):
        for alias in connections:
            with recording_violations():
                _ask_for_a_value(alias)
                _ask_for_a_row(alias)


def _ask_for_a_value(alias: str) -> None:
    wanted = f"{os.getpid()} {uuid.uuid4()}"
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT %s", [wanted])
        answer = cursor.fetchone()
    expect(answer == (wanted,), f"asked {alias} for {wanted} and read {answer}")


def _ask_for_a_row(alias: str) -> None:
    name = f"asked-{uuid.uuid4()}"
    Setting.objects.using(alias).create(name=name, value=f"{os.getpid()} {name}")
    row = Setting.objects.using(alias).get(name=name)
    expect((row.name, row.value) == (name, f"{os.getpid()} {name}"), f"asked {alias} for {name} and read {row.name}")
    row.delete()

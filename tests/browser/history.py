"""A day that was: runs as a ledger would have written them, for pages that are looked at and not waited for."""

import random
from datetime import timedelta

from django.utils import timezone

from tests.harness.project import Project
from workerd.models import Node, Run

LIVES_H = (0.4, 3.0)
ENDS = ("recycled", "recycled", "error", "hung", "crashed", "stopped")


def add_day(project: Project, name: str, processes: int) -> None:
    """Write a day of runs for the job, one after the other in each of its slots."""
    dice, now = random.Random(name), timezone.now()
    job, node = project.jobs.get(name=name), Node.objects.using(project.jobs.db).get()
    runs = []
    for index in range(processes):
        born = now - timedelta(hours=24)
        while (ended := born + timedelta(hours=dice.uniform(*LIVES_H))) < now - timedelta(minutes=4):
            runs.append(
                Run(
                    job=job,
                    job_name=name,
                    node=node,
                    node_name=str(node),
                    slot=name if processes == 1 else f"{name}:{index}",
                    index=index,
                    born=born,
                    ready=born + timedelta(seconds=1),
                    ended=ended,
                    outcome=dice.choice(ENDS),
                    exception="shop.mishaps.CourierUnavailableError: 503 Service Unavailable",
                )
            )
            born = ended + timedelta(minutes=dice.uniform(0, 10))
    project.runs.bulk_create(runs)

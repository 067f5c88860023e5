"""A day that was: runs as a ledger would have written them, for pages that are looked at and not waited for."""

import random
from datetime import timedelta

from django.utils import timezone

from tests.harness.project import Project
from workerd.models import Node, Run

LIVES_H = (0.4, 3.0)
TIMES = ("finished", "finished", "error", "missed", "overtime", "finished")
"""How the times of a schedule ended, hour after hour; the last is the newest."""
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


def add_times(project: Project, name: str) -> None:
    """Write what became of the last hours of a scheduled job."""
    job, node, now = project.jobs.get(name=name), Node.objects.using(project.jobs.db).get(), timezone.now()
    runs = []
    for hours, outcome in zip(range(len(TIMES), 0, -1), TIMES, strict=True):
        due = now - timedelta(hours=hours)
        run = Run(job=job, job_name=name, node=node, node_name=str(node), slot=name, due=due, born=due, outcome=outcome)
        run.trigger, run.ended = "schedule", due + timedelta(minutes=20)
        if outcome == "missed":
            run.missed, run.ended, run.reason = 12, due, "12 times until 04:10: the daemon was not running"
        else:
            run.born = due + timedelta(seconds=0.04)
        runs.append(run)
    project.runs.bulk_create(runs)

"""The jobs whose processes are weighed; a module of its own, so that an older copy of workerd runs the same ones."""

import gc

from workerd import JobContext, job


@job
def idle(context: JobContext) -> None:
    """Wait until asked to stop."""
    context.wait()


@job
def work(context: JobContext, queries: int = 1000) -> None:
    """Have the ORM do as much as a job that has run for a while, collect all garbage, then wait."""
    from workerd.models import Job

    for number in range(queries):
        rows = Job.objects.filter(name__startswith="a", enabled=True).exclude(pk=number).order_by("-pk")
        list(rows[:5]) if number % 2 else rows.count()
    gc.collect()
    context.log.info("bench.collected")
    context.wait()

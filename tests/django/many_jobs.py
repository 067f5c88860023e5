"""Many jobs, each with a slot that has every field, and orders for some of them."""

from django.utils import timezone

from workerd.models import Job, Node, Operation, Slot

FIRST_NAME = 1000
"""The number in the first job's name: all names are of one length."""


def add_jobs(jobs: int) -> None:
    """Write the rows, under a daemon that has just reported."""
    now = timezone.now()
    node = Node.objects.create(name="shop", host="web1", pulse=now)
    Job.objects.bulk_create(
        [
            Job(name=f"job-{FIRST_NAME + number}", target="shop.jobs.ship_orders", max_memory=64)
            for number in range(jobs)
        ]
    )
    made = list(Job.objects.order_by("pk"))
    slots = [
        Slot(
            node=node,
            job=job,
            job_name=job.name,
            name=job.name,
            state="RUNNING",
            since=now,
            last_beat=now,
            note=f"order {job.pk}",
            memory=12.5,
        )
        for job in made
    ]
    Slot.objects.bulk_create(slots)
    Operation.objects.bulk_create([Operation(verb="restart", job=job, job_name=job.name) for job in made[:50]])

"""The seats that the nodes hold, for their pages: one query each."""

from collections import Counter

from django.db.models import Count, QuerySet

from workerd.models import Job, Node, Seat
from workerd.wire.rollout_seat import ROLLOUT_JOB
from workerd.wire.words import slot_name

MOST_NAMED = 200


def count_held(alias: str) -> Counter[int]:
    """Return how many seats each node holds, by its primary key."""
    held = _held(alias).order_by().values_list("node_id").annotate(count=Count("pk"))
    return Counter({node_id or 0: count for node_id, count in held})


def names_held(node: Node, alias: str) -> list[str]:
    """Return the names of the seats that the node holds."""
    seats = _held(alias).filter(node_id=node.pk).order_by("job_id", "index")
    held = list(seats.values_list("job_id", "index")[:MOST_NAMED])
    jobs = Job.objects.using(alias).in_bulk({job_id for job_id, _index in held})
    return [
        slot_name(jobs[pk].name, index, jobs[pk].processes) if pk in jobs else f"{pk}:{index}" for pk, index in held
    ]


def _held(alias: str) -> QuerySet[Seat]:
    """Return the seats of jobs that somebody holds; the one without a job is for draining and reloading."""
    return Seat.objects.using(alias).exclude(life=None).exclude(job_id=ROLLOUT_JOB)

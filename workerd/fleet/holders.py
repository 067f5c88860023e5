"""The seats that the nodes hold, and those that nobody does, for the admin's pages: one query each."""

from collections import Counter
from typing import Any

from django.db.models import Count, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from workerd.models import Job, Node, Seat
from workerd.models.clock import DatabaseNow
from workerd.models.node import LATE
from workerd.wire.rollout_seat import ROLLOUT_JOB
from workerd.wire.words import Scope, slot_name

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


def jobs_without_holder(alias: str) -> QuerySet[Job, Any]:
    """Return the keys of the fleet jobs that want a process in a seat which no node that reports holds."""
    is_held = Q(life__isnull=False, node__pulse__gt=DatabaseNow() - LATE)
    in_order = Seat.objects.using(alias).filter(is_held | ~Q(stopped_by=""), job_id=OuterRef("pk"))
    in_order = in_order.filter(index__lt=OuterRef("processes")).order_by()
    count = Subquery(in_order.values("job_id").annotate(count=Count("pk")).values("count"))
    jobs = Job.objects.using(alias).filter(scope=Scope.FLEET.value, enabled=True)
    return jobs.annotate(in_order=Coalesce(count, 0)).filter(in_order__lt=F("processes")).values("pk")

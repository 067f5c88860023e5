"""Rows of a fleet, as ledgers would have written them."""

import json
import uuid
from datetime import timedelta
from typing import Any

from workerd.models import Job, Node, Seat, Slot
from workerd.models.clock import read_now
from workerd.wire.words import slot_name


def add_node(name: str, *, labels: dict[str, str] | None = None, silent_s: float = 0, **values: Any) -> Node:
    """Make the row of a node that reported so many seconds ago."""
    pulse = read_now("default") - timedelta(seconds=silent_s)
    given = {"host": "rack", "generation": 1, "life": uuid.uuid4(), "labels": json.dumps(labels or {}), **values}
    return Node.objects.create(name=name, pulse=pulse, **given)


def add_fleet_job(name: str = "feed", **values: Any) -> Job:
    return Job.objects.create(**{"name": name, "target": "shop.jobs.price_feed", "scope": "fleet", **values})


def seat(job: Job, index: int, holder: Node | None = None, **values: Any) -> Seat:
    """Make a seat, and the slot of its holder."""
    given: dict[str, Any] = {"takeover_ms": 30_000, "token": 7 * (holder is not None), **values}
    if holder is not None:
        given |= {"node": holder, "life": holder.life, "since": read_now("default") - timedelta(seconds=90)}
        name = slot_name(job.name, index, job.processes)
        Slot.objects.create(job=job, job_name=job.name, node=holder, index=index, name=name, state="RUNNING")
    return Seat.objects.create(job=job, index=index, **given)

"""Slots that wait for the time of their schedule: neither trouble nor a change to come."""

from typing import Protocol

from django.db.models import Q

from workerd.models import Job, Slot
from workerd.wire.words import State

RESTING = Q(state=State.WAITING.value, due=None, job__schedule__gt="")
"""These slots among all."""


class _Waits(Protocol):
    @property
    def state(self) -> str: ...
    @property
    def due(self) -> float | None: ...


def is_resting(slot: Slot | _Waits, job: Job | None) -> bool:
    """Return whether the slot waits for the time of its schedule."""
    return slot.state == State.WAITING and slot.due is None and job is not None and bool(job.schedule)

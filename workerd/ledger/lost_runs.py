"""Ends runs of which nobody will tell the end."""

from datetime import datetime

from django.db.models import Case, F, QuerySet, Value, When

from workerd.models import Run
from workerd.models.clock import DatabaseNow
from workerd.wire.words import Outcome


def end_as_lost(runs: QuerySet[Run], pulse: datetime | None) -> None:
    """Mark the runs as lost, with the last ``pulse`` of their node as their end; now where it has none.

    A run that was born after the pulse ended at its birth. The versions stay as they are: if a journal still holds the
    real end, that is newer and takes the place of this.
    """
    ended = Case(When(born__lt=pulse, then=Value(pulse)), default=F("born")) if pulse is not None else DatabaseNow()
    runs.update(outcome=Outcome.LOST.value, ended=ended, recorded=DatabaseNow())

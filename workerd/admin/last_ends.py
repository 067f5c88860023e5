"""The last ends of scheduled jobs (``LastEnd``)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery

from workerd.models import Job, Run, Slot
from workerd.wire.words import FAILURES, Outcome

BAD_ENDS = FAILURES | {Outcome.MISSED, Outcome.LOST}
"""The time of a schedule should not have ended so."""


@dataclass(frozen=True, slots=True)
class LastEnd:
    """The outcome of a slot's last run for a due moment, and when it ended."""

    outcome: str
    ended: datetime | None

    @property
    def is_bad(self) -> bool:
        return self.outcome in BAD_ENDS


def read_last_ends(jobs: Sequence[Job], alias: str) -> dict[int | None, list[LastEnd]]:
    """Return the last end in each slot of the scheduled ones among ``jobs``; each slot is a look into an index."""
    scheduled = [job.pk for job in jobs if job.schedule]
    if not scheduled:
        return {}
    last = _ended(alias).filter(job_id=OuterRef("job_id"), index=OuterRef("index"))
    outcomes, moments = Subquery(last.values("outcome")[:1]), Subquery(last.values("ended")[:1])
    slots = Slot.objects.using(alias).filter(job_id__in=scheduled).order_by("index")
    ends: dict[int | None, list[LastEnd]] = {}
    for job_id, outcome, ended in slots.values_list("job_id", outcomes, moments):
        if outcome:
            ends.setdefault(job_id, []).append(LastEnd(outcome, ended))
    return ends


def jobs_that_ended_badly(alias: str) -> QuerySet[Job, Any]:
    """Return the keys of the scheduled jobs whose last time failed or was missed."""
    jobs: QuerySet[Job] = _with_last_end(alias).filter(last__in=[outcome.value for outcome in BAD_ENDS])
    return jobs.values("pk")


def last_bad_ends(alias: str) -> dict[int, str]:
    """Return how the last time ended of each scheduled job for which it failed or was missed, by the job's key."""
    ends = _with_last_end(alias).order_by("pk").values_list("pk", "last")
    return {pk: outcome for pk, outcome in ends if outcome in BAD_ENDS}


def _with_last_end(alias: str) -> Any:
    last = Subquery(_ended(alias).filter(job_id=OuterRef("pk")).values("outcome")[:1])
    return Job.objects.using(alias).filter(schedule__gt="").annotate(last=last)


def _ended(alias: str) -> QuerySet[Run]:
    """Order by the job, too, which is one and the same: or MySQL goes through the runs of all jobs by their births."""
    return Run.objects.using(alias).exclude(outcome="").order_by("job_id", "-born")

"""The counts of runs that ended, and that failed, in each hour of the last day: of all jobs at once (``Day``)."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import models
from django.db.models import Count, Q, Value

from workerd.models import Run
from workerd.models.clock import as_utc
from workerd.wire.words import FAILURES, Outcome

HOURS = 24
FRESH = 2
"""The latest hours, which are counted at each look: the one that runs, and the one before, for what is written late."""
KEEP_S = 300.0
"""How long the counts of the hours before those are kept: what is written later still shows after this."""
HOUR = timedelta(hours=1)


class Hour(NamedTuple):
    """The counts of a job's runs that ended within an hour other than by a stop, and of those that failed."""

    ends: int = 0
    failures: int = 0


@dataclass(frozen=True, slots=True)
class Day:
    """The hours of each job that has some, oldest first; ``start`` is the first one's begin, a full hour of UTC."""

    start: datetime
    of_job: Mapping[int, Sequence[Hour]]

    @property
    def total(self) -> Sequence[Hour]:
        """The hours of all jobs together."""
        of_hour = zip(*self.of_job.values(), strict=True)
        return [Hour(*map(sum, zip(*hours, strict=True))) for hours in of_hour] or [Hour()] * HOURS

    @property
    def most(self) -> int:
        """The most ends of a job within one hour."""
        return max((hour.ends for hours in self.of_job.values() for hour in hours), default=0)

    def of(self, job_id: int) -> Sequence[Hour]:
        """Return the hours of a job, of which there may be nothing to count."""
        return self.of_job.get(job_id) or [Hour()] * HOURS


_Counts = dict[tuple[int, int], Hour]
_kept: dict[str, tuple[datetime, float, _Counts]] = {}
"""By the alias: the start of the day, the time of the monotonic clock, and the counts of its older hours."""


class _HourSince(models.Func):
    """The whole hours from one moment, the second, to another, the first."""

    output_field = models.IntegerField()
    template = "FLOOR(DATE_PART('epoch', %(expressions)s) / 3600)::integer"
    arg_joiner = " - "

    def as_mysql(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        later, since = self.source_expressions
        turned = self.copy()
        turned.source_expressions = [since, later]
        template = "TIMESTAMPDIFF(HOUR, %(expressions)s)"
        return super(_HourSince, turned).as_sql(compiler, connection, template=template, arg_joiner=", ", **extra)

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        # doubled twice: for the template, and for the query's own parameters
        template = "((STRFTIME('%%%%s', %(expressions)s)) / 3600)"
        return super().as_sql(compiler, connection, template=template, arg_joiner=") - STRFTIME('%%s', ", **extra)


def read_day(alias: str, now: datetime) -> Day:
    """Return the day that ends with the hour that runs; in two queries, or one where the older hours are known."""
    past = as_utc(now).replace(minute=0, second=0, microsecond=0)
    start = now - (as_utc(now) - past) - (HOURS - 1) * HOUR
    fresh = start + (HOURS - FRESH) * HOUR
    counts = _older(alias, start, fresh) | _count(alias, start, fresh, start + HOURS * HOUR)
    hours: dict[int, list[Hour]] = {}
    for (job_id, number), hour in counts.items():
        if 0 <= number < HOURS:
            hours.setdefault(job_id, [Hour()] * HOURS)[number] = hour
    return Day(start, hours)


def forget() -> None:
    """Count every hour anew at the next look."""
    _kept.clear()


def _older(alias: str, start: datetime, fresh: datetime) -> _Counts:
    kept = _kept.get(alias)
    if kept is None or kept[0] != start or time.monotonic() - kept[1] > KEEP_S:
        kept = _kept[alias] = (start, time.monotonic(), _count(alias, start, start, fresh))
    return kept[2]


def _count(alias: str, start: datetime, begin: datetime, end: datetime) -> _Counts:
    """Return the counts by job and by the number of the hour since ``start``, of runs that ended within two moments.

    Both bounds stand there also where no run can be later: or SQLite looks at every run of every job.
    """
    rows = Run.objects.using(alias).filter(ended__gte=begin, ended__lt=end, job_id__isnull=False)
    number = _HourSince("ended", Value(start, output_field=models.DateTimeField()))
    ends = Count("outcome", filter=~Q(outcome__in=[Outcome.STOPPED.value, Outcome.MISSED.value]))
    failures = Count("outcome", filter=Q(outcome__in=[outcome.value for outcome in FAILURES]))
    counted = rows.order_by().values_list("job_id", number).annotate(ends=ends, failures=failures)
    return {(job_id or 0, hour): Hour(ended, failed) for job_id, hour, ended, failed in counted}

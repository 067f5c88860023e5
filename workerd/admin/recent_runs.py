"""The latest runs of a job, for its page: enough for a day's timeline, never all of a million."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from workerd.models import Job, Run, Slot
from workerd.wire.words import FAILURES

WINDOW = timedelta(hours=24)
MOST = 500
MOST_FAILURES = 5
_HEAVY = ("traceback", "stack", "last_lines", "samples")


@dataclass(frozen=True, slots=True)
class RecentRuns:
    """The runs that were read, newest first. Of those before ``cut`` there were too many: they are left out."""

    runs: tuple[Run, ...]
    start: datetime
    now: datetime
    cut: datetime | None = None

    @property
    def shown(self) -> tuple[Run, ...]:
        """The runs within the window."""
        return tuple(run for run in self.runs if run.born and (run.ended or self.now) >= self.start)

    @property
    def failures(self) -> tuple[Run, ...]:
        """The latest runs that somebody should look at, within the window or not."""
        return tuple(run for run in self.runs if run.outcome in FAILURES)[:MOST_FAILURES]


def read_recent_runs(job: Job, slots: Iterable[Slot], now: datetime, alias: str) -> RecentRuns:
    """Return the newest runs, and those that still run in ``slots``, however old. Each query follows one index."""
    rows = Run.objects.using(alias).filter(job_id=job.pk).defer(*_HEAVY)
    newest = list(rows.exclude(born=None).order_by("-born")[: MOST + 1])
    found = {run.pk for run in newest}
    current = [slot.run for slot in slots if slot.run and slot.run not in found]
    if current:
        newest += list(rows.filter(pk__in=current).exclude(born=None))
    start = now - WINDOW
    cut = newest[MOST - 1].born if len(found) > MOST else None
    if cut is not None and cut <= start:
        cut = None
    return RecentRuns(tuple(newest), start, now, cut)


def runs_beside(run: Run, alias: str) -> tuple[Run | None, Run | None]:
    """Return the run before ``run`` in its slot, and the run after it."""
    if run.born is None:
        return None, None
    rows = Run.objects.using(alias).filter(job_name=run.job_name, index=run.index).defer(*_HEAVY)
    same_node = rows.filter(node_id=run.node_id) if run.node_id is not None else rows
    before = same_node.filter(born__lt=run.born).order_by("-born").first()
    after = same_node.filter(born__gt=run.born).order_by("born").first()
    return before, after

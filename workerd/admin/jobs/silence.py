"""The longest silence of a job's processes of late, which a heartbeat timeout must be longer than."""

from datetime import timedelta

from django.utils.translation import gettext as _

from workerd.admin.ages import between, spell_span
from workerd.models import Job, Run, Slot
from workerd.models.clock import DatabaseNow

LATELY = timedelta(days=1)
MOST_RUNS = 1000
"""The newest that are looked at: a job that fails all the time has a hundred thousand in a day."""


def describe_silence(job: Job, alias: str) -> str:
    """Return a sentence for beside the field, "" where nothing is known."""
    seconds = longest_silence(job, alias)
    if seconds is None:
        return ""
    return _("The longest silence of its runs of the last day was %s.") % spell_span(seconds)


def longest_silence(job: Job, alias: str) -> float | None:
    """Return the longest silence in seconds of the runs that go on, and of those that have ended in the last day."""
    runs = Run.objects.using(alias).filter(job_id=job.pk).annotate(read_at=DatabaseNow()).order_by("-born")
    newest = runs.values_list("read_at", "ended", "longest_silence")[:MOST_RUNS]
    found = [seconds for now, ended, seconds in newest if ended is not None and between(ended, now) <= LATELY]
    found += Slot.objects.using(alias).filter(job_id=job.pk).values_list("longest_silence", flat=True)
    return max((seconds for seconds in found if seconds is not None), default=None)

"""A scheduled job's next times, and how its last times ended, for its page."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.translation import gettext as _

from workerd.admin.ages import Ages, as_utc
from workerd.admin.badges import OUTCOME_WORDS
from workerd.admin.due import cause_of
from workerd.admin.recent_runs import RecentRuns
from workerd.admin.run_sentence import describe_run
from workerd.models import Job, Run

from .schedule_words import put_into_words

LAST = 7
"""The page sums up this many of the last times."""


def schedule_section(job: Job, recent: RecentRuns | None, ages: Ages, request: HttpRequest) -> str:
    """Return the section; without ``recent``, for who may not view runs, the next times alone."""
    now = as_utc(ages.now).timestamp()
    context: dict[str, Any] = {
        "about": put_into_words(job.schedule, job.time_zone, now, spread=job.spread, looks_ahead=False),
        "is_off": not job.enabled,
    }
    if recent is not None:
        last = last_times(recent.runs)
        context |= {"last": sum_up(last), "latest": describe_run(last[0], recent.now) if last else ""}
        context["cause"] = cause_of(last[0]) if last else ""
    return render_to_string("admin/workerd/job/schedule.html", context, request)


def last_times(runs: Iterable[Run]) -> list[Run]:
    """Return the last run of each of the last times, newest first; one that was tried again counts as it ended."""
    newest: dict[tuple[int, Any], Run] = {}
    for run in runs:
        if run.due is not None and run.ended is not None:
            newest.setdefault((run.index, run.due), run)
            if len(newest) == LAST:
                break
    return list(newest.values())


def sum_up(runs: list[Run]) -> str:
    """Return "last 7: 6 finished, 1 missed"."""
    if not runs:
        return ""
    counts = Counter(run.outcome for run in runs)
    parts = (f"{count} {OUTCOME_WORDS.get(outcome, outcome)}" for outcome, count in counts.most_common())
    return _("last %(count)s: %(outcomes)s") % {"count": len(runs), "outcomes": ", ".join(parts)}

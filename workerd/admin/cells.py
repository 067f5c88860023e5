"""The live columns of the jobs list, for the page and for its refresh. Each cell has two lines."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from operator import attrgetter

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from workerd.models import Slot
from workerd.wire.recent_memory import read_recent
from workerd.wire.words import ALIVE, LAST, LAST_RUN, State

from .ages import Ages, as_utc
from .badges import STATE_TONES, STATE_WORDS, badge, outcome_badge, resting_badge, state_badge
from .last_ends import LastEnd
from .resources.sparkline import sparkline
from .snapshot import WAITING_STATES, JobSnapshot

_MODULE = re.compile(r"^(?:[a-z_]\w*\.)+(?=[A-Z])")
"""The module in front of an exception's class."""


def state_cell(snapshot: JobSnapshot, ages: Ages) -> SafeString:
    """Return the state and since when; for several slots "3 of 4 running" and what the others are doing."""
    worst = snapshot.worst
    if worst is None:
        return two_lines(_no_slot_badge(snapshot), _held(snapshot))
    if len(snapshot.resting) == len(snapshot.slots):
        return two_lines(resting_badge(_next_of(snapshot), ages), _last_end(snapshot.last_end, ages))
    others = ""
    if len(snapshot.slots) > 1 or snapshot.wanted > 1:
        counts = dict(snapshot.counts)
        running = counts.pop(State.RUNNING, 0)
        words = _("%(running)s of %(wanted)s running") % {"running": running, "wanted": snapshot.wanted}
        headline = badge(_tone(snapshot, worst, running), words)
        parts = [f"{count} {STATE_WORDS.get(state, state)}" for state, count in counts.items()]
        if resting := len(snapshot.resting):
            parts.append(_("%(count)s waiting for its time") % {"count": resting})
        others = ", ".join(parts)
    elif snapshot.is_held:
        headline = badge("hold", _("stopped by an operator"))
    else:
        headline = state_badge(worst.state)
    return two_lines(headline, _joined(_held(snapshot), others or _since(worst, ages)))


def activity_cell(snapshot: JobSnapshot, ages: Ages) -> SafeString:
    """Return what keeps the job from running and when it is tried again; else its last note and beat."""
    worst = snapshot.worst
    if snapshot.problem:
        return over_two_lines(snapshot.problem, "workerd-trouble")
    if worst is not None and len(snapshot.resting) == len(snapshot.slots):
        time, _joint, failure = worst.reason.partition(LAST_RUN)
        return two_lines(clipped(failure, "workerd-trouble"), clipped(time)) if failure else over_two_lines(time, "")
    if waiting := next((place for place in snapshot.places if place.is_wanted and place.reason), None):
        return over_two_lines(f"{waiting.name}: {waiting.reason}", "workerd-reason")
    if worst is not None and (worst.state in WAITING_STATES or worst.reason):
        tone = "workerd-trouble" if worst.state == State.PARKED else "workerd-reason"
        counted, _joint, cause = worst.reason.partition(LAST)
        if cause:  # stands first, as the end of a long line is cut off
            return two_lines(clipped(cause, tone), counted)
        if worst.next_start is None:
            return over_two_lines(worst.reason or "-", tone)
        return two_lines(clipped(worst.reason or "-", tone), next_start(worst, ages))
    beating = max((slot for slot in snapshot.slots if slot.last_beat), key=attrgetter("last_beat"), default=None)
    if beating is None:
        return two_lines("-", "")
    return two_lines(clipped(beating.note or "-"), format_html(_("beat {} ago"), ages.since(beating.last_beat)))


def restarts_cell(snapshot: JobSnapshot, _ages: Ages) -> SafeString:
    """Return how many restarts there were within the hour, and how many of them followed a failure.

    A scheduled job is not restarted: of it these are the runs.
    """
    failures = ""
    if snapshot.failures:
        words = ngettext("%(count)s failure", "%(count)s failures", snapshot.failures) % {"count": snapshot.failures}
        failures = format_html('<span class="workerd-trouble">{}</span>', words)
    count: str = str(snapshot.restarts)
    if snapshot.job.schedule:
        count = ngettext("%(count)s run", "%(count)s runs", snapshot.restarts) % {"count": snapshot.restarts}
    return two_lines(count, failures)


def memory_cell(snapshot: JobSnapshot, ages: Ages) -> SafeString:
    """Return the memory of the largest process, against the limit, with its curve of the last day."""
    measured = (slot for slot in snapshot.slots if slot.memory is not None)
    largest = max(measured, key=lambda slot: slot.memory or 0.0, default=None)
    if largest is None:
        return memory(None, snapshot.job.max_memory)
    recent, lives = read_recent(largest.recent_memory), largest.state in ALIVE
    curve = sparkline(recent, snapshot.job.max_memory, as_utc(ages.now), grows=lives)
    return memory(largest.memory, snapshot.job.max_memory, curve)


LIVE_CELLS: Mapping[str, Callable[[JobSnapshot, Ages], SafeString]] = {
    "state": state_cell,
    "activity": activity_cell,
    "restarts": restarts_cell,
    "memory": memory_cell,
}


def memory(used: float | None, limit: float | None, curve: str = "") -> SafeString:
    """Return "34 of 64 MiB" with a bar, or its curve; where there is no limit, "34 MiB" without a bar."""
    if used is None and limit is None:
        return two_lines(SafeString('<span class="workerd-nothing">-</span>'), "")
    if used is None:
        return two_lines(_("at most %s MiB") % f"{limit:g}", "")
    spelled = f"{used:.0f}" if used >= 1 else "< 1"
    if limit is None:
        return two_lines(_("%s MiB") % spelled, curve)
    words = _("%(used)s of %(limit)s MiB") % {"used": spelled, "limit": f"{limit:g}"}
    if curve:
        return two_lines(words, curve)
    share = min(1.0, used / limit)
    return two_lines(
        words,
        format_html(
            '<svg class="workerd-bar{}" aria-hidden="true"><rect width="{}%" height="100%"/></svg>',
            " workerd-bar-full" if share > 0.9 else "",
            f"{share * 100:.0f}",
        ),
    )


def next_start(slot: Slot, ages: Ages) -> str:
    """Return "next start in 5 s", or nothing where the slot has no next start.

    A slot that runs has one, too, where its job has a schedule.
    """
    if slot.state in ALIVE:
        return ""
    return format_html(_("next start in {}"), ages.until(slot.next_start)) if slot.next_start else ""


def clipped(text: str, css: str = "") -> SafeString:
    """Return the first line, cut to the cell's width and without an exception's module; its tooltip has the whole."""
    first = _MODULE.sub("", text.strip().partition("\n")[0])
    return format_html('<span class="workerd-clip {}" title="{}">{}</span>', css, text[:1000], first[:300])


def two_lines(first: str, second: str) -> SafeString:
    """Return a cell of a fixed height: a refresh that changed a row's height would move the rows below it."""
    return format_html('<div class="workerd-line">{}</div><div class="workerd-sub">{}</div>', first, second)


def over_two_lines(text: str, css: str) -> SafeString:
    """Return a cell of that height in which one text takes both lines."""
    return format_html('<div class="workerd-both {}" title="{}">{}</div>', css, text[:1000], text.strip()[:400])


def live_cell(key: str, content: str) -> SafeString:
    """Return content that the page's script may replace."""
    return format_html('<div data-workerd-live="{}">{}</div>', key, content)


def _held(snapshot: JobSnapshot) -> str:
    """Return how many seats of the fleet are held, of how many that are wanted; "" for a job of each node."""
    if not snapshot.places:
        return ""
    return _("%(held)s of %(wanted)s seats held") % {"held": snapshot.held, "wanted": snapshot.job.processes}


def _joined(*parts: str) -> SafeString:
    return format_html_join(", ", "{}", ((part,) for part in parts if part))


def _since(slot: Slot, ages: Ages) -> str:
    return format_html(_("for {}"), ages.since(slot.since)) if slot.since else ""


def _next_of(snapshot: JobSnapshot) -> datetime | None:
    return min((slot.next_start for slot in snapshot.resting if slot.next_start), default=None)


def _last_end(end: LastEnd | None, ages: Ages) -> SafeString:
    """Return how the last time of the schedule ended."""
    if end is None:
        return SafeString(_("has not run yet"))
    words = format_html(_("{} {} ago"), outcome_badge(end.outcome), ages.since(end.ended))
    return format_html('<span class="workerd-clip">{}</span>', words)


def _tone(snapshot: JobSnapshot, worst: Slot, running: int) -> str:
    if running >= snapshot.wanted:
        return "good"
    return "hold" if snapshot.is_held else STATE_TONES.get(worst.state, "rest")


def _no_slot_badge(snapshot: JobSnapshot) -> SafeString:
    if snapshot.is_late:
        return badge("wait", _("no daemon"))
    if snapshot.is_held:
        return badge("hold", _("stopped by an operator"))
    if snapshot.places and snapshot.job.enabled and not snapshot.held:
        return badge("wait", _("no node has it"))
    if snapshot.job.processes == 0:
        return badge("rest", _("its row wants no process"))
    return badge("busy", _("no daemon has read it yet"))

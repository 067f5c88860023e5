"""The live columns of the jobs list, for the page and for its refresh. Each cell has two lines."""

import re
from collections.abc import Callable, Mapping
from operator import attrgetter

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from workerd.models import Slot
from workerd.wire.words import LAST, State

from .ages import Ages
from .badges import STATE_TONES, STATE_WORDS, badge, state_badge
from .snapshot import WAITING_STATES, JobSnapshot

_MODULE = re.compile(r"^(?:[a-z_]\w*\.)+(?=[A-Z])")
"""The module in front of an exception's class."""


def state_cell(snapshot: JobSnapshot, ages: Ages) -> SafeString:
    """Return the state and since when; for several slots "3 of 4 running" and what the others are doing."""
    worst = snapshot.worst
    if worst is None:
        return two_lines(_no_slot_badge(snapshot), "")
    others = ""
    if len(snapshot.slots) > 1 or snapshot.wanted > 1:
        counts = dict(snapshot.counts)
        running = counts.pop(State.RUNNING, 0)
        words = _("%(running)s of %(wanted)s running") % {"running": running, "wanted": snapshot.wanted}
        headline = badge(_tone(snapshot, worst, running), words)
        others = ", ".join(f"{count} {STATE_WORDS.get(state, state)}" for state, count in counts.items())
    elif snapshot.is_held:
        headline = badge("hold", _("stopped by an operator"))
    else:
        headline = state_badge(worst.state)
    return two_lines(headline, others or _since(worst, ages))


def activity_cell(snapshot: JobSnapshot, ages: Ages) -> SafeString:
    """Return what keeps the job from running and when it is tried again; else its last note and beat."""
    worst = snapshot.worst
    if snapshot.problem:
        return over_two_lines(snapshot.problem, "workerd-trouble")
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
    """Return how many restarts there were within the hour, and how many of them followed a failure."""
    failures = ""
    if snapshot.failures:
        words = ngettext("%(count)s failure", "%(count)s failures", snapshot.failures) % {"count": snapshot.failures}
        failures = format_html('<span class="workerd-trouble">{}</span>', words)
    return two_lines(str(snapshot.restarts), failures)


def memory_cell(snapshot: JobSnapshot, _ages: Ages) -> SafeString:
    """Return the memory of the largest process, against the limit."""
    largest = max((slot.memory for slot in snapshot.slots if slot.memory is not None), default=None)
    return memory(largest, snapshot.job.max_memory)


LIVE_CELLS: Mapping[str, Callable[[JobSnapshot, Ages], SafeString]] = {
    "state": state_cell,
    "activity": activity_cell,
    "restarts": restarts_cell,
    "memory": memory_cell,
}


def memory(used: float | None, limit: float | None) -> SafeString:
    """Return "34 of 64 MiB" with a bar; where there is no limit, "34 MiB" without one."""
    if used is None and limit is None:
        return two_lines(SafeString('<span class="workerd-nothing">-</span>'), "")
    if used is None:
        return two_lines(_("at most %s MiB") % f"{limit:g}", "")
    if limit is None:
        return two_lines(_("%s MiB") % f"{used:.0f}", "")
    words = _("%(used)s of %(limit)s MiB") % {"used": f"{used:.0f}", "limit": f"{limit:g}"}
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
    """Return "next start in 5 s", or nothing where the slot has no next start."""
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


def _since(slot: Slot, ages: Ages) -> str:
    return format_html(_("for {}"), ages.since(slot.since)) if slot.since else ""


def _tone(snapshot: JobSnapshot, worst: Slot, running: int) -> str:
    if running >= snapshot.wanted:
        return "good"
    return "hold" if snapshot.is_held else STATE_TONES.get(worst.state, "rest")


def _no_slot_badge(snapshot: JobSnapshot) -> SafeString:
    if snapshot.is_late:
        return badge("wait", _("no daemon"))
    if snapshot.job.processes == 0:
        return badge("rest", _("its row wants no process"))
    return badge("busy", _("no daemon has read it yet"))

"""The live columns of the jobs list, as the page and its refreshing both show them. Each cell has two lines."""

import re
from collections.abc import Callable, Mapping
from operator import attrgetter

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from workerd.models import Slot
from workerd.wire.words import THE_LAST, State

from .ages import Ages
from .badges import STATE_TONES, STATE_WORDS, badge, state_badge
from .markup import markup
from .snapshot import WAITING_STATES, JobSnapshot

Text = SafeString | str
_MODULE = re.compile(r"^(?:[a-z_]\w*\.)+(?=[A-Z])")


def state_cell(picture: JobSnapshot, ages: Ages) -> SafeString:
    """Return "running" or "3 of 4 running", since when, and what the others are."""
    worst = picture.worst
    if worst is None:
        return two_lines(_empty_badge(picture), "")
    others: Text = ""
    if len(picture.slots) > 1 or picture.wanted > 1:
        counts = dict(picture.counts)
        running = counts.pop(State.RUNNING, 0)
        words = _("%(running)s of %(wanted)s running") % {"running": running, "wanted": picture.wanted}
        headline = badge(_tone(picture, worst, running), words)
        others = ", ".join(f"{count} {STATE_WORDS[state]}" for state, count in counts.items())
    elif picture.is_held:
        headline = badge("hold", _("stopped, on hold"))
    else:
        headline = state_badge(worst.state)
    return two_lines(headline, others or _since(worst, ages))


def activity_cell(picture: JobSnapshot, ages: Ages) -> SafeString:
    """Return what stands in the way, or what it last said it was doing; and when that was."""
    worst = picture.worst
    if picture.job.problem:
        return over_two_lines(picture.job.problem, "workerd-trouble")
    if worst is not None and (worst.state in WAITING_STATES or worst.reason):
        tone = "workerd-trouble" if worst.state == State.PARKED else "workerd-reason"
        counted, _joint, cause = worst.reason.partition(THE_LAST)
        if cause:  # stands first: it must not be what is cut off
            return two_lines(clipped(cause, tone), counted)
        if worst.next_start is None:
            return over_two_lines(worst.reason or "-", tone)
        return two_lines(clipped(worst.reason or "-", tone), next_start(worst, ages))
    beating = max((slot for slot in picture.slots if slot.last_beat), key=attrgetter("last_beat"), default=None)
    if beating is None:
        return two_lines("-", "")
    said = markup(_("beat {} ago"), ages.since(beating.last_beat))
    return two_lines(clipped(beating.note or "-"), said)


def restarts_cell(picture: JobSnapshot, _ages: Ages) -> SafeString:
    """Return how often it was started anew within the hour, and how many of these were failures."""
    failures: Text = ""
    if picture.failures:
        words = ngettext("%(count)s failure", "%(count)s failures", picture.failures) % {"count": picture.failures}
        failures = markup('<span class="workerd-trouble">{}</span>', words)
    return two_lines(str(picture.restarts), failures)


def memory_cell(picture: JobSnapshot, _ages: Ages) -> SafeString:
    """Return the largest process's memory against the limit."""
    largest = max((slot.memory for slot in picture.slots if slot.memory is not None), default=None)
    return memory(largest, picture.job.max_memory)


LIVE_CELLS: Mapping[str, Callable[[JobSnapshot, Ages], SafeString]] = {
    "state": state_cell,
    "activity": activity_cell,
    "restarts": restarts_cell,
    "memory": memory_cell,
}


def memory(used: float | None, limit: float | None) -> SafeString:
    """Return "34 of 64 MiB" with a bar, or without one where there is no limit."""
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
        markup(
            '<svg class="workerd-bar{}" aria-hidden="true"><rect width="{}%" height="100%"/></svg>',
            " workerd-bar-full" if share > 0.9 else "",
            f"{share * 100:.0f}",
        ),
    )


def next_start(slot: Slot, ages: Ages) -> Text:
    """Return when a slot is tried again, or nothing."""
    return markup(_("next start in {}"), ages.until(slot.next_start)) if slot.next_start else ""


def clipped(text: str, css: str = "") -> SafeString:
    """Return text cut to its line, without an exception's module; whole to hover over."""
    first = _MODULE.sub("", text.strip().partition("\n")[0])
    return markup('<span class="workerd-clip {}" title="{}">{}</span>', css, text[:1000], first[:300])


def two_lines(first: Text, second: Text) -> SafeString:
    """Return a cell that keeps its height whatever it says."""
    return markup('<div class="workerd-line">{}</div><div class="workerd-sub">{}</div>', first, second)


def over_two_lines(text: str, css: str) -> SafeString:
    """Return a cell of the same height that one text has for itself."""
    return markup('<div class="workerd-both {}" title="{}">{}</div>', css, text[:1000], text.strip()[:400])


def live(key: str, content: Text) -> SafeString:
    """Return content that the page's script may replace."""
    return markup('<div data-workerd-live="{}">{}</div>', key, content)


def _since(slot: Slot, ages: Ages) -> Text:
    return markup(_("for {}"), ages.since(slot.since)) if slot.since else ""


def _tone(picture: JobSnapshot, worst: Slot, running: int) -> str:
    if running >= picture.wanted:
        return "good"
    return "hold" if picture.is_held else STATE_TONES.get(worst.state, "rest")


def _empty_badge(picture: JobSnapshot) -> SafeString:
    """Say why there is no slot at all."""
    if picture.is_late:
        return badge("wait", _("no daemon"))
    if picture.job.processes == 0:
        return badge("rest", _("no process wanted"))
    return badge("busy", _("not picked up yet"))

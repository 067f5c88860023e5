"""The hours of a day as small bars: above the line what ended, below it what failed. All bars have one scale."""

import math
from collections.abc import Sequence
from datetime import timedelta

from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from workerd.admin.ages import as_utc

from .hours import HOUR, HOURS, Day, Hour

STEP, BAR = 5, 4
"""The distance from bar to bar and the width of one; the drawing's own units."""
ABOVE, BELOW = 14, 10
"""The longest bars; a bar of one run is seen, too."""
WIDTH, HEIGHT = STEP * HOURS, ABOVE + BELOW + 1


def bars_of_job(hours: Sequence[Hour], most: int, *, scheduled: bool) -> SafeString:
    """Return the drawing of a job, in words what its restarts or runs and its failures add up to."""
    ends, failures = total(hours)
    return bars(hours, most, say_hours(ends, failures, scheduled=scheduled))


def total(hours: Sequence[Hour]) -> Hour:
    """Return the sums of the hours."""
    return Hour(sum(hour.ends for hour in hours), sum(hour.failures for hour in hours))


def bars(hours: Sequence[Hour], most: int, words: str) -> SafeString:
    """Return the drawing; lengths go by the logarithm, so that one restart is seen beside a thousand."""
    ends, _failures = total(hours)
    if not ends:
        return format_html('<span class="workerd-nothing"><span class="workerd-hidden">{}</span></span>', _("none"))
    return format_html(
        '<svg class="workerd-hours" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" aria-label="{}">'
        '<title>{}</title><path class="workerd-hours-line" d="M0 {}h{}"/>'
        '<path class="workerd-hours-ends" d="{}"/><path class="workerd-hours-failures" d="{}"/></svg>',
        WIDTH,
        HEIGHT,
        words,
        words,
        ABOVE + 0.5,
        WIDTH,
        _path([hour.ends for hour in hours], most, ABOVE, -1),
        _path([hour.failures for hour in hours], most, ABOVE + 1, 1),
    )


def say_hours(ends: int, failures: int, *, scheduled: bool) -> str:
    """Return "38 restarts, 4 failures in the last 24 hours"; a scheduled job is not restarted, it runs."""
    if scheduled:
        first = ngettext("%(count)s run", "%(count)s runs", ends) % {"count": ends}
    else:
        first = ngettext("%(count)s restart", "%(count)s restarts", ends) % {"count": ends}
    second = ngettext("%(count)s failure", "%(count)s failures", failures) % {"count": failures}
    return _("%(ends)s, %(failures)s in the last 24 hours") % {"ends": first, "failures": second}


def say_ends(ends: int, failures: int) -> str:
    """Return "300 runs ended, 40 failed": of jobs with and without a schedule together."""
    first = ngettext("%(count)s run ended", "%(count)s runs ended", ends) % {"count": ends}
    return _("%(ended)s, %(count)s failed") % {"ended": first, "count": failures}


def axis(day: Day) -> list[tuple[str, str]]:
    """Return the place, in per cent, and the time of every sixth full hour of the admin's time zone."""
    ticks = []
    for number in range(HOURS):
        moment = timezone.localtime(as_utc(day.start) + number * HOUR)
        ahead = timedelta(hours=-moment.hour % 6) - timedelta(minutes=moment.minute)
        if timedelta(0) <= ahead < HOUR:
            place = (number + ahead / HOUR) / HOURS
            if 0.02 < place < 0.96:
                ticks.append((f"{place * 100:.1f}%", f"{moment + ahead:%H:%M}"))
    return ticks


def _path(counts: Sequence[int], most: int, line: int, direction: int) -> str:
    """Return upright strokes; each is a bar."""
    longest = ABOVE if direction < 0 else BELOW
    scale = longest / math.log2(1 + max(most, 1))
    return "".join(
        f"M{number * STEP + STEP / 2:g} {line}v{direction * max(2.0, math.log2(1 + count) * scale):.1f}"
        for number, count in enumerate(counts)
        if count
    )

"""The memory of a slot in the last day as a small curve, for a cell of the jobs list."""

from datetime import UTC, datetime

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from workerd.admin.ages import spell
from workerd.wire.recent_memory import RecentMemory

from .figures import spell_mib
from .forecast import seconds_to_limit, since_last_fall
from .plot import LIMIT_WITHIN

HIGH = 20
LEAST = 2
"""Fewer points are no curve."""


def sparkline(recent: RecentMemory | None, limit: float | None, now: datetime, *, grows: bool) -> SafeString:
    """Return the curve, "" where there is nothing to draw; with ``grows`` also in how long it meets its limit."""
    known = [(place, value / 1024) for place, value in enumerate(recent.values if recent else ()) if value is not None]
    if recent is None or len(known) < LEAST or now.astimezone(UTC).timestamp() - recent.ended > 86400:
        return SafeString("")
    values = [value for _place, value in known]
    scale = max(*values, 1.0)
    if limit is not None and limit <= scale * LIMIT_WITHIN:
        scale = max(scale, limit)
    points = since_last_fall([(float(place * recent.step), value) for place, value in known])
    left = seconds_to_limit(points, limit) if grows else None
    words = _("memory in the last %(span)s: from %(first)s to %(last)s, at most %(most)s") % {
        "span": spell(recent.ended - recent.began),
        "first": spell_mib(values[0]),
        "last": spell_mib(values[-1]),
        "most": spell_mib(max(values)),
    }
    full = _("at this rate it meets its limit in %s") % spell(max(60.0, left)) if left is not None else ""
    return format_html(
        '<span class="workerd-sparks"><svg class="workerd-spark{}" viewBox="0 0 {} {}" preserveAspectRatio="none" '
        'role="img" aria-label="{}"><title>{}</title><path d="{}"/></svg>{}</span>',
        " workerd-spark-full" if left is not None else "",
        max(1, len(recent.values) - 1),
        HIGH,
        words,
        f"{words}; {full}" if full else words,
        _path(recent, scale),
        format_html('<span class="workerd-full" title="{}">▲ {}</span>', full, spell(max(60.0, left))) if left else "",
    )


def _path(recent: RecentMemory, scale: float) -> str:
    strokes, draws = [], False
    for place, value in enumerate(recent.values):
        if value is None:
            draws = False
            continue
        y = 1 + (HIGH - 2) * (1 - value / 1024 / scale)
        strokes.append(f"L{place} {y:.1f}" if draws else f"M{place} {y:.1f}h0")
        draws = True
    return " ".join(strokes)

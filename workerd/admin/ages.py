"""Moments as an operator reads them: "for 5 min", "12 s ago", with the exact time in a tooltip.

The page and its script (static/workerd/live.js) spell ages the same way. What the script fetches leaves the words out
and the script fills them in, so that an answer changes only when something has happened, not with every second.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import pgettext

from workerd.models.clock import as_utc, between

__all__ = ["Ages", "as_utc", "between", "exact", "spell", "spell_span", "unit_words"]

UNITS = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))


def unit_words() -> dict[str, str]:
    """Return the short words for the units, in the language of the request."""
    return {
        "d": pgettext("short for days", "d"),
        "h": pgettext("short for hours", "h"),
        "min": pgettext("short for minutes", "min"),
        "s": pgettext("short for seconds", "s"),
    }


def spell(seconds: float, words: Mapping[str, str] | None = None) -> str:
    """Return "12 s", "5 min", "3 h", "2 d": the largest unit alone, rounded down."""
    words = words or unit_words()
    for unit, size in UNITS:
        if seconds >= size:
            return f"{int(seconds // size)} {words[unit]}"
    return f"0 {words['s']}"


def spell_span(seconds: float) -> str:
    """Return a span to two units, "1 h 30 min", or to three digits below ten seconds, "1.25 s"."""
    if seconds < 10:
        return f"{seconds:.3g} {unit_words()['s']}"
    words = unit_words()
    parts = []
    for unit, size in UNITS:
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{int(count)} {words[unit]}")
    return " ".join(parts[:2])


@dataclass(frozen=True, slots=True)
class Ages:
    """Spells moments as of ``now``; with ``spelled`` off the words are left to the page's script."""

    now: datetime
    spelled: bool = True
    words: Mapping[str, str] = field(default_factory=unit_words)

    def since(self, moment: datetime | None) -> str:
        """Return how long ago ``moment`` was, as an element whose words the script keeps up to date."""
        return self._element(moment, "since")

    def until(self, moment: datetime | None) -> str:
        """Return how long it is to ``moment``, as an element like that of ``since``."""
        return self._element(moment, "until")

    def _element(self, moment: datetime | None, direction: str) -> str:
        if moment is None:
            return "-"
        seconds = between(moment, self.now).total_seconds() * (1 if direction == "since" else -1)
        return format_html(
            '<time datetime="{}" data-workerd-{} title="{}">{}</time>',
            as_utc(moment).isoformat(),
            direction,
            exact(moment),
            spell(seconds, self.words) if self.spelled else "",
        )


def exact(moment: datetime) -> str:
    """Return the moment to the second, in the admin's time zone, with the zone's name."""
    return f"{timezone.localtime(as_utc(moment)):%Y-%m-%d %H:%M:%S %Z}"

"""Moments as an operator reads them: "for 5 min", "12 s ago", with the exact time to hover over.

Both the page and the script that keeps it fresh spell ages the same way; what is fetched leaves them to the script, so
that an answer changes only when something has happened.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import pgettext

from .markup import markup

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
    """Return a span to two units, "1 h 30 min", or to the millisecond below ten seconds."""
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
    """Spells moments as of ``now``; with ``spelled`` off it leaves the words to the page's script."""

    now: datetime
    spelled: bool = True
    words: Mapping[str, str] = field(default_factory=unit_words)

    def since(self, moment: datetime | None) -> SafeString | str:
        """Return how long ago ``moment`` was, as an element that goes on counting."""
        return self._element(moment, "since")

    def until(self, moment: datetime | None) -> SafeString | str:
        """Return how long it is to ``moment``."""
        return self._element(moment, "until")

    def _element(self, moment: datetime | None, direction: str) -> SafeString | str:
        if moment is None:
            return "-"
        seconds = (self.now - moment).total_seconds() * (1 if direction == "since" else -1)
        return markup(
            '<time datetime="{}" data-workerd-{} title="{}">{}</time>',
            moment.isoformat(),
            direction,
            exact(moment),
            spell(seconds, self.words) if self.spelled else "",
        )


def exact(moment: datetime) -> str:
    """Return the moment to the second, in the admin's time zone, which it names."""
    return f"{timezone.localtime(moment):%Y-%m-%d %H:%M:%S %Z}"

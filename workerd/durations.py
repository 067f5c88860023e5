"""Durations as people write them ("90s", "5 min", "1h 30m"), read as seconds and written back without loss."""

import math
import re
from typing import TYPE_CHECKING

from .errors import WorkerdError

if TYPE_CHECKING:  # the functions import it: the daemon, which imports this, may never write a duration
    from decimal import Decimal

MAX_SECONDS = 3650 * 86400.0
"""Ten years: more than a job's duration can mean. A bound also keeps infinity and NaN out."""

_MAX_TEXT = 60
_PART = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*([a-z]*)\s*", re.ASCII)
_UNITS = {"d": "86400", "h": "3600", "min": "60", "s": "1", "ms": "0.001"}
_SPELLINGS = {
    "d": ("d", "day", "days"),
    "h": ("h", "hr", "hrs", "hour", "hours"),
    "min": ("m", "min", "mins", "minute", "minutes"),
    "s": ("s", "sec", "secs", "second", "seconds"),
    "ms": ("ms", "msec", "millisecond", "milliseconds"),
}
_UNIT_OF = {spelling: unit for unit, spellings in _SPELLINGS.items() for spelling in spellings}


class DurationError(WorkerdError, ValueError):
    """The text is not a duration."""

    def __init__(self, text: str) -> None:
        self.text = text
        super().__init__(f"“{text[:_MAX_TEXT]}” is not a duration: write it like 90s, 5 min, 1h 30m, 250ms or 1.5 d.")


def parse_duration(text: str) -> float:
    """Return the seconds that ``text`` says; a bare number is seconds. Raises DurationError."""
    from decimal import Decimal

    parts = _split(text)
    if len(parts) == 1 and not parts[0][1]:
        total = Decimal(parts[0][0])
    else:
        units = [_UNIT_OF.get(unit) for _, unit in parts]
        if None in units or len(set(units)) < len(units):
            raise DurationError(text)
        total = sum(
            (Decimal(number) * Decimal(_UNITS[unit]) for (number, _), unit in zip(parts, units, strict=True) if unit),
            Decimal(),
        )
    return float(total)


def format_duration(seconds: float) -> str:
    """Return what ``parse_duration`` reads as exactly ``seconds``: "5 min", "1 h 30 min", "1.5 s", "250 ms"."""
    if not math.isfinite(seconds) or seconds < 0:
        raise ValueError(f"{seconds!r} is not a duration")
    from decimal import Decimal

    rest = Decimal(repr(float(seconds)))
    if 0 < rest < 1:
        return f"{_plain(rest / Decimal(_UNITS['ms']))} ms"
    words = []
    for unit in ("d", "h", "min"):
        count, rest = divmod(rest, Decimal(_UNITS[unit]))
        if count:
            words.append(f"{_plain(count)} {unit}")
    if rest or not words:
        words.append(f"{_plain(rest)} s")
    return " ".join(words)


def _split(text: str) -> list[tuple[str, str]]:
    parts, position, lowered = [], 0, text.strip().lower()
    while position < len(lowered) <= _MAX_TEXT:
        match = _PART.match(lowered, position)
        if match is None:
            break
        parts.append((match[1], match[2]))
        position = match.end()
    if not parts or position < len(lowered):
        raise DurationError(text)
    return parts


def _plain(number: "Decimal") -> str:
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text

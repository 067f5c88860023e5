"""systemd's durations ("5min 20s", "1.5h", "infinity"), read as seconds; systemd.time(7) has the units."""

import math
import re

_UNITS = {
    1e-6: ("us", "usec", "µs", "μs"),
    1e-3: ("ms", "msec"),
    1.0: ("", "s", "sec", "second", "seconds"),
    60.0: ("m", "min", "minute", "minutes"),
    3600.0: ("h", "hr", "hour", "hours"),
    86_400.0: ("d", "day", "days"),
    604_800.0: ("w", "week", "weeks"),
    2_629_800.0: ("M", "month", "months"),
    31_557_600.0: ("y", "year", "years"),
}
_SECONDS = {spelling: size for size, spellings in _UNITS.items() for spelling in spellings}
_PART = re.compile(r"\s*(\d{1,12}(?:\.\d{1,9})?)\s*([a-zA-Zµμ]*)\s*", re.ASCII)


def read_time_span(text: str) -> float | None:
    """Return the seconds that ``text`` says, infinity among them; None where it is no duration."""
    if text.strip() == "infinity":
        return math.inf
    total, position = 0.0, 0
    while position < len(text) and (part := _PART.match(text, position)):
        if part[2] not in _SECONDS:
            return None
        total += float(part[1]) * _SECONDS[part[2]]
        position = part.end()
    return round(total, 6) if text.strip() and position == len(text) else None

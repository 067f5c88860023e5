"""systemd's OnCalendar, read as the times that it names; systemd.time(7) has the grammar."""

import re

from .calendars import DAYS, LAST_WEEK, RANGES, Calendar, CalendarError

NICKNAMES = {
    "minutely": "*-*-* *:*",
    "hourly": "*-*-* *:0",
    "daily": "*-*-* 0:0",
    "weekly": "Mon *-*-* 0:0",
    "monthly": "*-*-1 0:0",
    "quarterly": "*-1,4,7,10-1 0:0",
    **dict.fromkeys(("semiannually", "semi-annually", "biannually", "bi-annually"), "*-1,7-1 0:0"),
    **dict.fromkeys(("yearly", "annually"), "*-1-1 0:0"),
}
LONG_DAYS = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")

_ITEM = re.compile(r"(\d{1,4})(?:\.\.(\d{1,4}))?(?:/(\d{1,4}))?", re.ASCII)
_DATE = re.compile(r"(?:(?P<year>[^-~]+)-)?(?P<month>[^-~]+)(?P<end>[-~])(?P<day>[^-~]+)")
_TIME = re.compile(r"(?P<hour>[^:]+):(?P<minute>[^:]+)(?::(?P<second>[^:]+))?")
_ZONE = re.compile(r"[a-z][a-z0-9_+/-]*", re.ASCII | re.IGNORECASE)


def read_calendar(text: str) -> Calendar:
    """Return the times that ``text`` names. Raises CalendarError."""
    words = text.split()
    zone = words.pop() if len(words) > 1 and _ZONE.fullmatch(words[-1]) else ""
    if len(words) == 1:
        words = NICKNAMES.get(words[0].lower(), words[0]).split()
    weekdays = _weekdays(words.pop(0)) if words and words[0][0].isalpha() else frozenset(range(7))
    date = _DATE.fullmatch(words.pop(0) if words and ":" not in words[0] else "*-*-*")
    time = _TIME.fullmatch(words.pop(0) if words else "0:0")
    if date is None or time is None or words or not text.strip():
        raise _unread()
    if (date["year"] or "*") != "*":
        raise CalendarError("it names a year: for one moment, write “at 2026-12-24 18:00” as the schedule")
    if _values("minutes", time["second"] or "0") != {0}:  # a minute has as many seconds
        raise CalendarError("it names seconds, and a schedule is due at whole minutes: write those, or “every 30 s”")
    return Calendar(
        minutes=_values("minutes", time["minute"]),
        hours=_values("hours", time["hour"]),
        days=_from_the_end(date["day"]) if date["end"] == "~" else _values("days", date["day"]),
        months=_values("months", date["month"]),
        weekdays=weekdays,
        zone="UTC" if zone.upper() == "UTC" else zone,
    )


def _unread() -> CalendarError:
    return CalendarError("it is no calendar that is known here: “systemd-analyze calendar” shows how it is written")


def _values(part: str, chain: str) -> frozenset[int]:
    """Return the numbers that ``chain`` names: ``*``, or a list of ``5``, ``1..5``, ``0/15`` and ``1..9/2``."""
    low, high = RANGES[part]
    if chain == "*":
        return frozenset(range(low, high + 1))
    values: set[int] = set()
    for item in chain.split(","):
        match = _ITEM.fullmatch(item)
        if match is None:
            raise _unread()
        first, step = int(match[1]), int(match[3] or 1)
        last = int(match[2]) if match[2] else high if match[3] else first
        if not low <= first <= last <= high or not step:
            raise _unread()
        values.update(range(first, last + 1, step))
    return frozenset(values)


def _from_the_end(chain: str) -> frozenset[int]:
    """Return the days that ``~1``, the last one, and ``~7/1``, the last seven, name."""
    if re.fullmatch(r"0?1\.\.0?7|0?7/0?1", chain):
        return LAST_WEEK
    if "/" in chain:
        raise _unread()
    return frozenset(-day for day in _values("days", chain))


def _weekdays(chain: str) -> frozenset[int]:
    values: set[int] = set()
    for item in chain.upper().split(","):
        ends = [_weekday(name) for name in re.split(r"\.\.|-", item)]
        if len(ends) > 2 or ends[0] > ends[-1]:
            raise _unread()
        values.update(range(ends[0], ends[-1] + 1))
    return frozenset(values)


def _weekday(name: str) -> int:
    if name not in {*DAYS, *LONG_DAYS}:
        raise _unread()
    return DAYS.index(name[:3])

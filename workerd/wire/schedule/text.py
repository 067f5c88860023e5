"""Reads the text of a schedule."""

import re
from datetime import UTC, datetime

from cronsim import CronSimError

from . import fields, zones
from .cron import Cron
from .dues import FIRST, LAST, Schedule, ScheduleError
from .every import Every
from .once import Once
from .walls import Walls
from .zone import Zone

MAX_LENGTH = 200
SINCE = 1_767_225_600
"""1 January 2026: a schedule that is never due after it is none. What a text means is not to hang on the present."""

SHORTEST, LONGEST = 10, 366 * 86_400
SPELLINGS = {
    1: ("s", "sec", "secs", "second", "seconds"),
    60: ("m", "min", "mins", "minute", "minutes"),
    3600: ("h", "hr", "hrs", "hour", "hours"),
    86_400: ("d", "day", "days"),
}
UNITS = {spelling: size for size, spellings in SPELLINGS.items() for spelling in spellings}

_EVERY = re.compile(r"every\s+([0-9]{1,9})\s*([a-z]+)")
_TIME = r"(?:[01]\d|2[0-3]):[0-5]\d"
_AT = re.compile(
    rf"at\s+(\d{{4}}-\d\d-\d\d)[t\s]\s*({_TIME}(?::[0-5]\d)?)\s*(z|[+-]{_TIME})?", re.ASCII | re.IGNORECASE
)


def read(text: str, zone: str) -> Schedule:
    """Return the schedule that ``text`` says. Raises ScheduleError."""
    words = text.strip()
    if not words:
        raise ScheduleError(f"it is blank: write {fields.EXAMPLE}, or leave it empty, so that the job runs always")
    if len(words) > MAX_LENGTH:
        raise ScheduleError(f"a schedule has at most {MAX_LENGTH} characters")
    clock = zones.find(zone)
    match words.lower().split()[:1]:
        case ["every"]:
            return _read_every(words, zone, clock)
        case ["at"]:
            return _read_at(words, zone, clock)
    return _read_cron(words, zone, clock)


def _read_every(words: str, zone: str, clock: Zone) -> Every:
    match = _EVERY.fullmatch(words.lower())
    size = UNITS.get(match[2]) if match else None
    if match is None or size is None:
        raise ScheduleError(f"“{words}” is no interval: write a whole number of s, min, h or d, such as “every 15 min”")
    interval = int(match[1]) * size
    if interval < SHORTEST:
        raise ScheduleError(
            f"“{words}” is too often: write {SHORTEST} s or more; for less, leave the schedule blank, and have the job"
            " loop over context.every(…)"
        )
    if interval > LONGEST:
        raise ScheduleError(f"“{words}” is too seldom: write 366 d or less, or the days, such as “0 0 1 1 *”")
    return Every(words, zone, clock, interval)


def _read_at(words: str, zone: str, clock: Zone) -> Once:
    match = _AT.fullmatch(words)
    remedy = "write “at 2026-12-24 18:00”, in the time zone of the row, or with an offset: “at 2026-12-24 18:00+01:00”"
    try:
        written = datetime.fromisoformat(f"{match[1]} {match[2]}").replace(tzinfo=UTC) if match else None
        offset = datetime.strptime(match[3].upper(), "%z").utcoffset() if match and match[3] else None
    except ValueError as error:
        raise ScheduleError(f"“{words}” is no moment ({error}): {remedy}") from error
    if written is None:
        raise ScheduleError(f"“{words}” is no moment: {remedy}")
    wall = int(written.timestamp())
    if not FIRST + 2 * 86_400 < wall < LAST:
        raise ScheduleError(f"“{words}” is not between 1970 and 2200: {remedy}")
    if offset is not None:
        return Once(words, zone, clock, wall - int(offset.total_seconds()), None)
    return Once(words, zone, clock, clock.moment(wall), wall)


def _read_cron(words: str, zone: str, clock: Zone) -> Cron:
    schedule = Cron(words, zone, clock, Walls(fields.check(words)))
    try:
        due = schedule.next_after(SINCE)
    except CronSimError:  # it refuses 31 February
        due = None
    if due is None:
        raise ScheduleError(f"“{words}” is never due: no date fits it, or the clocks skip it each time")
    return schedule

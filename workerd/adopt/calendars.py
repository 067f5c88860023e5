"""The times that other schedulers name, as sets of numbers (``Calendar``), and five fields of cron for them.

In systemd and in celery the day of the month and the weekday must both fit, in cron one of them; what cron cannot say
exactly is refused with the reason.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace

from workerd.errors import WorkerdError

DAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
RANGES = {"minutes": (0, 59), "hours": (0, 23), "days": (1, 31), "months": (1, 12), "weekdays": (0, 6)}

LAST_DAY = frozenset({-1})
LAST_WEEK = frozenset(range(-7, 0))
WEEKS = tuple(frozenset(range(first, min(first + 7, 32))) for first in range(1, 32, 7))
"""The days among which each weekday is the first, the second … and the fifth of its month."""


class CalendarError(WorkerdError, ValueError):
    """A text names no times, or no schedule says them exactly; tells which, and what to write."""


@dataclass(frozen=True, slots=True)
class Calendar:
    """Due at each minute and hour that fit, on each day that is of a month, a day and a weekday that fit."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    """From 1; from -1 down they count from the end of the month."""
    months: frozenset[int]
    weekdays: frozenset[int]
    """From 0, Monday, to 6."""
    zone: str = ""
    """Blank is the zone of whoever keeps the calendar."""


def merge(calendars: Iterable[Calendar]) -> list[Calendar]:
    """Return as few calendars as name the same times, each of which cron says as exactly as before."""
    merged: list[Calendar] = []
    waiting = list(calendars)
    while waiting:
        one = waiting.pop(0)
        for other in merged:
            if both := _joined(other, one):
                merged.remove(other)
                waiting.insert(0, both)
                break
        else:
            merged.append(one)
    return merged


def to_cron(calendar: Calendar) -> str:
    """Return five fields that name the same times. Raises CalendarError where there are none."""
    day, weekday = _day_fields(calendar.days, calendar.weekdays)
    minute, hour, month = (_field(getattr(calendar, part), *RANGES[part]) for part in ("minutes", "hours", "months"))
    return f"{minute} {hour} {day} {month} {weekday}"


def _joined(one: Calendar, other: Calendar) -> Calendar | None:
    """Return the calendar that has the times of both; there is one where they differ in one thing at most."""
    parts = [field.name for field in fields(Calendar) if field.name != "zone"]
    differing = [name for name in parts if getattr(one, name) != getattr(other, name)]
    if one.zone != other.zone or len(differing) > 1:
        return None
    both = replace(one, **{name: getattr(one, name) | getattr(other, name) for name in differing})
    try:
        to_cron(both)
    except CalendarError:
        return None
    return both


def _day_fields(days: frozenset[int], weekdays: frozenset[int]) -> tuple[str, str]:
    """Return the fields of the day of the month and of the weekday.

    Both must fit in cron, too, where the field of the day begins with ``*``.
    """
    weekday = _names(weekdays)
    if days == LAST_DAY and weekday == "*":
        return "L", "*"
    if days == LAST_WEEK and weekday != "*":
        return "*", ",".join(f"{(number + 1) % 7}L" for number in sorted(weekdays))
    if min(days) < 0:
        raise CalendarError(
            "it counts days from the end of the month, of which a schedule knows its last day, “L”, and a last "
            "weekday, such as “1L”"
        )
    day = _field(days, *RANGES["days"])
    if weekday == "*" or day.startswith("*"):
        return day, weekday
    if days in WEEKS:
        number = WEEKS.index(days) + 1
        return "*", ",".join(f"{DAYS[found]}#{number}" for found in sorted(weekdays))
    raise CalendarError(
        "it wants a day of the month and a weekday at once, where a schedule is due on either: write one of them, and "
        "have the job look at the other"
    )


def _names(weekdays: frozenset[int]) -> str:
    """Sunday stands alone: cron counts it as the first day and as the last."""
    if len(weekdays) == len(DAYS):
        return "*"
    parts = [f"{DAYS[first]}-{DAYS[last]}" if last else DAYS[first] for first, last in _runs(weekdays - {6})]
    return ",".join([*parts, *([DAYS[6]] if 6 in weekdays else [])])


def _field(values: frozenset[int], low: int, high: int) -> str:
    if len(values) == high - low + 1:
        return "*"
    found = sorted(values)
    step = found[1] - found[0] if len(found) > 2 else 0
    if step > 1 and found == list(range(found[0], high + 1, step)):
        return f"*/{step}" if found[0] == low else f"{found[0]}/{step}"
    return ",".join(f"{first}-{last}" if last else f"{first}" for first, last in _runs(values))


def _runs(values: frozenset[int]) -> list[tuple[int, int]]:
    """Return three and more numbers in a row as the first and the last, and any other with a 0."""
    runs: list[tuple[int, int]] = []
    found = sorted(values)
    while found:
        length = next((n for n, value in enumerate(found) if value != found[0] + n), len(found))
        runs += [(found[0], found[length - 1])] if length > 2 else [(value, 0) for value in found[:length]]
        found = found[length:]
    return runs

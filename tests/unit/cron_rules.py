"""Debian cron's rules, minute by minute and without cleverness: what schedules are compared with."""

import calendar
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

DAY = 1440
EPOCH = date(1970, 1, 1).toordinal()
MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
WEEKDAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]


def values(text: str, low: int, high: int, names: Sequence[str] = ()) -> set[int]:
    """Return the values of a field without L and #."""
    number = {name: str(low + index) for index, name in enumerate(names)}
    found: set[int] = set()
    for term in text.split(","):
        span, _, step = term.partition("/")
        first, dash, last = span.partition("-")
        start = low if first == "*" else int(number.get(first, first))
        end = high if first == "*" or (step and not dash) else int(number.get(last, last)) if dash else start
        found.update(range(start, end + 1, int(step or 1)))
    return found


@dataclass(frozen=True)
class Minute:
    """A minute of real time, and what the wall shows in it; both counted from 1970."""

    real: int
    wall: int


def minutes(zone: str, start: int, end: int) -> list[Minute]:
    """Return the minutes from ``start`` until before ``end``, given in seconds."""
    rules, found = ZoneInfo(zone), []
    for real in range(start // 60, end // 60):
        shown = datetime.fromtimestamp(real * 60, rules)
        found.append(Minute(real, (shown.toordinal() - EPOCH) * DAY + shown.hour * 60 + shown.minute))
    return found


def dues(fields: str, clock: list[Minute]) -> list[int]:
    """Return the seconds at which cron starts a job within the minutes of the clock, but for the first one."""
    minute, hour, day, month, weekday = fields.split()
    times = [False] * DAY
    for h in values(hour, 0, 23):
        for m in values(minute, 0, 59):
            times[h * 60 + m] = True
    fits = day_rule(day, month, weekday)
    days: dict[int, bool] = {}

    def named(wall: int) -> bool:
        if not times[wall % DAY]:
            return False
        number = wall // DAY
        if number not in days:
            days[number] = fits(date.fromordinal(EPOCH + number))
        return days[number]

    if minute.startswith("*") or hour.startswith("*"):
        return [now.real * 60 for now in clock[1:] if named(now.wall)]
    return list(fixed(named, clock))


def fixed(named: Callable[[int], bool], clock: list[Minute]) -> Iterator[int]:
    """Yield the dues at fixed times: each time of the wall is looked at once, late if the clocks skipped it."""
    seen = clock[0].wall
    for now in clock[1:]:
        if now.wall > seen:
            if any(map(named, range(seen + 1, now.wall + 1))):
                yield now.real * 60
            seen = now.wall


def day_rule(day: str, month: str, weekday: str) -> Callable[[date], bool]:
    months = values(month, 1, 12, MONTHS)
    is_both = day.startswith("*") or weekday.startswith("*")

    def fits(found: date) -> bool:
        one, other = fits_day(day, found), fits_weekday(weekday, found)
        return found.month in months and ((one and other) if is_both else (one or other))

    return fits


def fits_day(text: str, found: date) -> bool:
    length = calendar.monthrange(found.year, found.month)[1]
    if text == "L":
        return found.day == length
    if text == "LW":
        return found.day == max(d for d in range(1, length + 1) if found.replace(day=d).weekday() < 5)
    return found.day in values(text, 1, 31)


def fits_weekday(text: str, found: date) -> bool:
    length = calendar.monthrange(found.year, found.month)[1]
    nth = (found.day + 6) // 7
    if text.endswith("L"):
        text, fits = text[:-1], found.day > length - 7
    else:
        text, _, wanted = text.partition("#")
        fits = wanted in {"", str(nth)}
    return fits and found.isoweekday() % 7 in {value % 7 for value in values(text, 0, 7, WEEKDAYS)}

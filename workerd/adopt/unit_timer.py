"""The times of a systemd timer as schedules."""

from collections.abc import Iterator

from workerd.wire.schedule import next_clock_change, parse
from workerd.wire.schedule.text import SINCE

from .calendars import CalendarError, merge, to_cron
from .on_calendar import read_calendar
from .time_spans import read_time_span
from .times import Times, TimesError, cron, every
from .unit_file import Unit

ONCE = ("OnActiveSec", "OnBootSec", "OnStartupSec")
MAX_CALENDARS = 100
"""More than a person writes into one timer."""
AGAIN = ("OnUnitActiveSec", "OnUnitInactiveSec")


def read_times(timer: Unit, zone: str) -> list[Times]:
    """Return a schedule for each job that the timer takes; ``zone`` is the host's. Raises TimesError."""
    faults: list[str] = []
    found = [*_calendars(timer, zone, faults), *_intervals(timer, faults)]
    once = [name for name in ONCE if timer.last("Timer", name)]
    if once and not found:
        found = [Times("", says=(f"{once[0]}= ran it once; it runs once whenever the service starts.",))]
    elif once:
        remark = f"{', '.join(once)} is not carried over: a schedule has no first time of its own."
        found = [one._replace(says=(*one.says, remark)) for one in found]
    if faults or not found:
        raise TimesError(
            " ".join(faults or ["The timer names no time: it has neither OnCalendar= nor OnUnitActiveSec=."])
        )
    return found


def _calendars(timer: Unit, zone: str, faults: list[str]) -> Iterator[Times]:
    calendars = []
    texts = timer.all("Timer", "OnCalendar")
    if len(texts) > MAX_CALENDARS:
        faults.append(f"It has more than {MAX_CALENDARS} lines OnCalendar=: split it.")
        return
    for text in texts:
        try:
            calendar = read_calendar(text)
            cron(to_cron(calendar), calendar.zone)
        except CalendarError as error:
            faults.append(f"OnCalendar={text} is no schedule: {error}.")
        except TimesError as error:
            faults.append(f"OnCalendar={text}: {error}")
        else:
            calendars.append(calendar)
    for calendar in merge(calendars):
        fields, own = to_cron(calendar), calendar.zone or zone
        yield cron(fields, own, _about_clocks(fields, own))


def _about_clocks(fields: str, zone: str) -> tuple[str, ...]:
    if not zone:
        return ("The host's time zone is not known here: its times are read in the project's TIME_ZONE.",)
    change = next_clock_change(parse(fields, zone), SINCE)
    if change is None:
        return ()
    sentence = "Where the clocks change, systemd passes over a time that they skip, and over the second of two hours"
    return (f"{sentence}; here it is {change.local} ({change.remark}).",)


def _intervals(timer: Unit, faults: list[str]) -> Iterator[Times]:
    for name in AGAIN:
        counted = "start" if name == AGAIN[0] else "end"
        remark = f"{name}= counts from the {counted} of the last run; {{}} counts from midnight UTC, 1 January 1970."
        for text in timer.all("Timer", name):
            seconds = read_time_span(text)
            if seconds is None:
                faults.append(f"{name}={text} is no duration of systemd's.")
                continue
            try:
                yield every(seconds, remark)
            except TimesError as error:
                faults.append(f"{name}={text}: {error}")

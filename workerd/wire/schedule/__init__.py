"""Schedules: five fields of cron, ``every``, ``at``. Pure, without a clock; form, ledger and daemon share it.

A project without schedules pays nothing: cronsim and the time zones are imported by the first ``parse``.
"""

import sys

from .due_words import Due, next_clock_change, upcoming
from .dues import Schedule, ScheduleError, ZoneError

__all__ = [
    "Due",
    "Schedule",
    "ScheduleError",
    "ZoneError",
    "clear_zone_cache",
    "explain",
    "local_text",
    "next_clock_change",
    "parse",
    "upcoming",
]


def parse(text: str, zone: str) -> Schedule:
    """Return the schedule that ``text`` says on the clocks of ``zone``. Raises ScheduleError with what to write."""
    from .text import read

    return read(text, zone)


def explain(schedule: Schedule) -> str:
    """Return in one line of English when the schedule is due."""
    return schedule.words()


def local_text(moment: float, zone: str) -> str:
    """Return a moment as the clocks of ``zone`` show it: "Sun 29 Mar 2026 03:00 Europe/Berlin"."""
    from .local import short
    from .zones import find

    return f"{short(find(zone).local(int(moment)), year=0)} {zone}"


def clear_zone_cache() -> None:
    """Have the next ``parse`` read the zone's file again; a schedule that is already parsed keeps what it has."""
    if zoneinfo := sys.modules.get("zoneinfo"):
        zoneinfo.ZoneInfo.clear_cache()

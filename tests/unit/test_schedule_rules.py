"""Schedules against Debian cron's rules, about each change of the clocks, and (slow) over each minute of two years."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from workerd.wire.schedule import Schedule, parse
from workerd.wire.schedule.zone import DAY, Zone

from . import cron_rules

START, END = (int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) for year in (2026, 2028))
ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "Europe/Dublin",
    "Africa/Casablanca",
    "America/Santiago",
    "Australia/Lord_Howe",
    "Asia/Kolkata",
    "UTC",
)
FIXED = (
    "30 2 * * *",
    "0 0 * * *",
    "0,15,30,45 1-3 * * *",
    "30 0,1,2,3 * * *",
    "59 23 * * *",
    "0-59 2 * * *",
    "0-59/20 0-23 * * *",
    "5/25 22/1 * * *",
    "0 0-6/2 * * 0",
    "30 1 L * *",
    "15 2 LW * *",
    "0 3 * * SUN#1",
    "45 1 * * 0L",
    "10 0 13 * 5",
    "20 2 */3 * MON,SUN",
    "0 12 1 JAN,JUL *",
)
STARRED = (
    "0 * * * *",
    "30 */2 * * *",
    "*/15 2 * * *",
    "*/20 0-3 * * 7",
    "*/45 1,2 1-7 * SUN",
    "7 *,5 * 3-4,9-11 *",
)
YEARS = ("30 2 * * *", "0 0 * * *", "0,30 0-3/2 */3 * MON,SUN", "15 */2 * * *", "* * * * *")
WALKED = 20_000
"""The dues that a walk asks for one by one; further ones are counted."""


def walk(schedule: Schedule, after: float, until: float) -> Iterator[int]:
    due = schedule.next_after(after)
    while due is not None and due <= until:
        yield int(due)
        due = schedule.next_after(due)


def windows(zone: str) -> list[tuple[int, int]]:
    """Return a day and a half about each change of the clocks, and about the turn of the years."""
    clocks = Zone(parse("@daily", zone).clock.rules)
    changes = [span.start for span in clocks.spans(START, END) if span.offset != span.before]
    return [(middle - DAY * 3 // 4, middle + DAY * 3 // 4) for middle in [*changes, START, END]]


@pytest.mark.parametrize("zone", ZONES)
def test_about_each_change_of_the_clocks_schedules_are_due_by_crons_rules(zone: str) -> None:
    differences = []
    for start, end in windows(zone):
        clock = cron_rules.minutes(zone, start, end)
        for text in FIXED + STARRED:
            expected = cron_rules.dues(text, clock)
            schedule = parse(text, zone)
            if [*walk(schedule, start, end - 1)] != expected or schedule.count(start, end - 1) != len(expected):
                differences.append((text, datetime.fromtimestamp(start, UTC)))

    assert differences == []


@pytest.mark.slow
@pytest.mark.parametrize("zone", ZONES)
def test_over_two_years_schedules_are_due_by_crons_rules(zone: str) -> None:
    clock = cron_rules.minutes(zone, START, END)
    for text in YEARS:
        expected = cron_rules.dues(text, clock)
        schedule = parse(text, zone)

        assert schedule.count(START, END - 1) == len(expected), text
        if len(expected) <= WALKED:
            assert [*walk(schedule, START, END - 1)] == expected, text

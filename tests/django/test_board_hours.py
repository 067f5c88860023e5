"""The hours of the last day: each end is counted in its own, whatever the database and the time zone of the project."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from workerd.admin.board import hours as hours_module
from workerd.admin.board.hours import FRESH, HOURS, Hour, forget, read_day
from workerd.models import Job, Run

pytestmark = [pytest.mark.django_db, pytest.mark.backends("sqlite", "postgres-psycopg2", "mysql-pymysql")]

NOW = datetime(2026, 6, 15, 10, 20, 30, tzinfo=UTC)
FIRST = datetime(2026, 6, 14, 11, tzinfo=UTC)
ZONES = ({"USE_TZ": True, "TIME_ZONE": "UTC"}, {"USE_TZ": False, "TIME_ZONE": "Asia/Kolkata"})
CHANGES = (datetime(2026, 3, 29, 10, 20, tzinfo=UTC), datetime(2026, 10, 25, 10, 20, tzinfo=UTC))
"""Berlin's clocks go forward, or back, within the day before."""


@pytest.fixture(autouse=True)
def count_anew() -> Iterator[None]:
    """What was kept of another test's database is no one's."""
    forget()
    yield
    forget()


@pytest.fixture
def job() -> Job:
    return Job.objects.create(name="feed", target="shop.jobs.price_feed")


def stored(moment: datetime) -> datetime:
    """Return the moment as the project has its moments."""
    return moment if django_settings.USE_TZ else timezone.make_naive(moment)


def add_end(job: Job, moment: datetime, outcome: str = "recycled") -> None:
    Run.objects.create(job=job, job_name=job.name, slot=job.name, ended=stored(moment), outcome=outcome)


def look(job: Job, now: datetime = NOW) -> list[Hour]:
    return list(read_day("default", stored(now)).of(job.pk))


@pytest.mark.parametrize("zone", ZONES, ids=lambda zone: str(zone["TIME_ZONE"]))
def test_each_end_counts_in_its_own_hour(job: Job, settings: Any, zone: dict[str, Any]) -> None:
    settings.USE_TZ, settings.TIME_ZONE = zone["USE_TZ"], zone["TIME_ZONE"]
    for number in range(HOURS):
        begin = FIRST + timedelta(hours=number)
        for moment in (begin, begin + timedelta(minutes=59, seconds=59.999))[: 1 if number == HOURS - 1 else 2]:
            add_end(job, moment)
    for outcome in ("error", "stopped", "missed", "lost"):
        add_end(job, FIRST + timedelta(hours=4, minutes=30), outcome)
    add_end(job, FIRST - timedelta(seconds=0.001), "error")

    shown = look(job)

    assert shown == [Hour(2), Hour(2), Hour(2), Hour(2), Hour(4, 1), *[Hour(2)] * 18, Hour(1)]


@pytest.mark.parametrize("now", CHANGES, ids=["forward", "back"])
def test_a_change_of_the_clocks_moves_no_end_where_moments_have_zones(job: Job, settings: Any, now: datetime) -> None:
    settings.TIME_ZONE = "Europe/Berlin"
    first = now.replace(minute=0) - timedelta(hours=HOURS - 1)
    for number in range(HOURS):
        add_end(job, first + timedelta(hours=number, minutes=10))

    assert look(job, now) == [Hour(1)] * HOURS


def test_an_end_that_a_fast_clock_puts_into_the_future_is_left_out(job: Job) -> None:
    add_end(job, NOW + timedelta(hours=5))

    assert look(job) == [Hour()] * HOURS


def test_the_older_hours_are_kept_and_the_latest_counted_at_each_look(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = FIRST + timedelta(hours=3), NOW - timedelta(hours=FRESH - 1)
    look(job)
    add_end(job, old, "error")
    add_end(job, new, "error")

    with CaptureQueriesContext(connection) as captured:
        shown = look(job)

    assert len(captured) == 1
    assert sum(hour.failures for hour in shown) == 1
    assert sum(hour.failures for hour in look(job, NOW + timedelta(hours=1))) == 2, "the day is another one"
    monkeypatch.setattr(hours_module, "KEEP_S", -1.0)
    assert sum(hour.failures for hour in look(job)) == 2, "what was written late shows at last"


def test_a_job_of_which_nothing_ended_and_a_day_without_any_end_have_empty_hours(job: Job) -> None:
    day = read_day("default", NOW)

    assert day.of(job.pk) == [Hour()] * HOURS
    assert day.total == [Hour()] * HOURS
    assert day.most == 0

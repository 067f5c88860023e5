"""``due_times`` and ``check_rows`` of ``workerd.testing``."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from workerd.models import Job
from workerd.testing import check_rows, due_times
from workerd.wire.schedule import ScheduleError

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.backends("any")
def test_due_times_are_aware_and_know_the_clocks_changes() -> None:
    dues = due_times("30 2 * * *", "Europe/Berlin", after=datetime(2026, 3, 28, tzinfo=BERLIN), n=3)

    assert dues == [
        datetime(2026, 3, 28, 2, 30, tzinfo=BERLIN),
        datetime(2026, 3, 29, 3, 0, tzinfo=BERLIN),
        datetime(2026, 3, 30, 2, 30, tzinfo=BERLIN),
    ]
    assert [str(due.tzinfo) for due in dues] == ["Europe/Berlin"] * 3


@pytest.mark.backends("any")
def test_due_times_end_with_the_schedule_and_begin_after_a_moment(settings: Any) -> None:
    settings.TIME_ZONE = "Europe/Berlin"
    due = datetime(2026, 12, 24, 18, tzinfo=BERLIN)

    assert due_times("at 2026-12-24 18:00", after=datetime(2026, 1, 1, tzinfo=UTC)) == [due]
    assert due_times("at 2026-12-24 18:00", after=due) == []


@pytest.mark.backends("any")
@pytest.mark.parametrize("words", [("30 25 * * *", "UTC"), ("@daily", "Berlin")])
def test_what_no_row_could_have_is_refused(words: tuple[str, str]) -> None:
    with pytest.raises(ScheduleError):
        due_times(*words, after=datetime(2026, 1, 1, tzinfo=UTC))


@pytest.mark.backends("any")
def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="give an aware datetime"):
        due_times("@daily", after=datetime(2026, 1, 1))  # noqa: DTZ001


@pytest.mark.django_db
def test_rows_that_can_run_pass() -> None:
    Job.objects.create(name="ship", target="shop.jobs.ship_orders", kwargs={"warehouse": "main"})
    Job.objects.create(name="carts", command="expire_carts --every 1", schedule="@daily", restart="never")

    check_rows()


@pytest.mark.django_db
def test_every_fault_of_every_row_is_told_at_once() -> None:
    Job.objects.create(name="good", target="shop.jobs.ship_orders")
    Job.objects.create(
        name="late",
        target="shop.jobs.ship_orders",
        schedule="30 25 * * *",
        restart="never",
        kwargs={"warehouse": {"$env": 5}},
    )
    Job.objects.create(name="renamed", target="shop.jobs.ship_order", enabled=False)
    Job.objects.create(name="wrong", target="shop.jobs.ship_orders", kwargs={"store": "main"})

    with pytest.raises(AssertionError) as caught:
        check_rows()

    first, *lines = str(caught.value).splitlines()
    assert first == "some jobs cannot run:"
    assert sorted(line.partition(":")[0] for line in lines) == [
        "the row “late”, kwargs",
        "the row “late”, schedule",
        "the row “renamed”, target",
        "the row “wrong”, kwargs",
    ]


@pytest.mark.django_db
def test_the_definitions_are_judged_too_and_make_no_row(settings: Any, tmp_path: Path) -> None:
    file = tmp_path / "jobs.toml"
    settings.WORKERD = {**settings.WORKERD, "DEFINITIONS": [file]}
    file.write_text('[jobs.ship]\ntarget = "shop.jobs.ship_orders"\n')
    check_rows()
    assert not Job.objects.exists()
    file.write_text('[jobs.ship]\ntarget = "shop.jobs.ship_order"\n[jobs.sell]\nprocessess = 2\n')

    with pytest.raises(AssertionError, match=r"(?s)'processess' is no field.*“shop\.jobs\.ship_order” is not a job"):
        check_rows()


@pytest.mark.django_db
def test_rows_are_read_from_the_database_that_has_them(settings: Any) -> None:
    settings.WORKERD = {**settings.WORKERD, "DATABASE": "no-such"}

    with pytest.raises(Exception, match="no-such"):
        check_rows()

"""When a schedule is due: what has gone wrong in other schedulers, by the numbers under which it was noted."""

import shutil
import time
import zoneinfo
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from workerd.wire.schedule import Schedule, ScheduleError, ZoneError, clear_zone_cache, parse
from workerd.wire.schedule.every import Every
from workerd.wire.schedule.zone import Zone

BERLIN = "Europe/Berlin"


def moment(text: str) -> float:
    """Return the moment of an ISO text with its offset."""
    return datetime.fromisoformat(text).timestamp()


def dues(schedule: Schedule, after: float, until: float) -> Iterator[float]:
    due = schedule.next_after(after)
    while due is not None and due <= until:
        yield due
        due = schedule.next_after(due)


def shown(text: str, zone: str, after: str, count: int) -> list[str]:
    """Return the next dues as the clocks of the zone show them."""
    found = islice(dues(parse(text, zone), moment(after), float("inf")), count)
    return [written(datetime.fromtimestamp(due, ZoneInfo(zone))) for due in found]


def written(local: datetime) -> str:
    """Return "2026-03-29 03:00+2"."""
    offset = local.utcoffset() or timedelta()
    return f"{local:%Y-%m-%d %H:%M}{int(offset.total_seconds()) // 3600:+}"


DUES = [
    (
        "1: a fixed time in the gap",
        "30 2 * * *",
        BERLIN,
        "2026-03-28T12:00+01:00",
        "2026-03-29 03:00+2, 2026-03-30 02:30+2",
    ),
    (
        "1: several in the gap are one",
        "0,30 2,3 * * *",
        BERLIN,
        "2026-03-29T00:00+01:00",
        "2026-03-29 03:00+2, 2026-03-29 03:30+2",
    ),
    (
        "2: a fixed time in the fold",
        "30 2 * * *",
        BERLIN,
        "2026-10-24T12:00+02:00",
        "2026-10-25 02:30+2, 2026-10-26 02:30+1",
    ),
    (
        "3: hourly in the fold",
        "5 * * * *",
        BERLIN,
        "2026-10-25T00:30+02:00",
        "2026-10-25 01:05+2, 2026-10-25 02:05+2, 2026-10-25 02:05+1, 2026-10-25 03:05+1",
    ),
    (
        "3: half-hourly in the fold",
        "*/30 * * * *",
        BERLIN,
        "2026-10-25T02:10+02:00",
        "2026-10-25 02:30+2, 2026-10-25 02:00+1, 2026-10-25 02:30+1, 2026-10-25 03:00+1",
    ),
    (
        "3: a star in a single hour of the fold",
        "*/30 2 25 10 *",
        BERLIN,
        "2026-10-25T02:30+02:00",
        "2026-10-25 02:00+1, 2026-10-25 02:30+1, 2027-10-25 02:00+2",
    ),
    ("4: inside the repeated hour", "30 2 * * *", BERLIN, "2026-10-25T02:15+01:00", "2026-10-26 02:30+1"),
    (
        "5: midnight in the gap",
        "0 0 * * *",
        "America/Santiago",
        "2026-09-05T12:00-04:00",
        "2026-09-06 01:00-3, 2026-09-07 00:00-3",
    ),
    (
        "5: a star where midnight is in the gap",
        "0 */6 * * *",
        "America/Santiago",
        "2026-09-05T12:00-04:00",
        "2026-09-05 18:00-4, 2026-09-06 06:00-3",
    ),
    (
        "6: an interval over the gap",
        "every 2 h",
        BERLIN,
        "2026-03-29T00:30+01:00",
        "2026-03-29 01:00+1, 2026-03-29 04:00+2, 2026-03-29 06:00+2",
    ),
    (
        "7: the wall time stays",
        "0 9 * * *",
        BERLIN,
        "2026-03-28T12:00+01:00",
        "2026-03-29 09:00+2, 2026-03-30 09:00+2",
    ),
    ("12: the next leap year", "0 0 29 2 *", BERLIN, "2026-01-01T00:00+01:00", "2028-02-29 00:00+1"),
    ("12: the next but one", "0 0 29 2 *", BERLIN, "2097-01-01T00:00+01:00", "2104-02-29 00:00+1"),
    (
        "12: a Monday, in 2044",
        "0 0 * 2 MON#5",
        BERLIN,
        "2026-01-01T00:00+01:00",
        "2044-02-29 00:00+1, 2072-02-29 00:00+1",
    ),
    (
        "14: the 13th or a Friday",
        "0 0 13 * 5",
        "UTC",
        "2026-02-07T00:00+00:00",
        "2026-02-13 00:00+0, 2026-02-20 00:00+0, 2026-02-27 00:00+0, 2026-03-06 00:00+0, 2026-03-13 00:00+0",
    ),
    (
        "14: a star and a Monday",
        "0 0 */2 * 1",
        "UTC",
        "2026-02-01T00:00+00:00",
        "2026-02-09 00:00+0, 2026-02-23 00:00+0",
    ),
    ("15: 1 is Monday", "0 0 * * 1", "UTC", "2026-02-01T00:00+00:00", "2026-02-02 00:00+0"),
    ("15: 0 is Sunday", "0 0 * * 0", "UTC", "2026-02-02T00:00+00:00", "2026-02-08 00:00+0"),
    ("15: 7 is Sunday", "0 0 * * 7", "UTC", "2026-02-02T00:00+00:00", "2026-02-08 00:00+0"),
    ("16: the first Monday", "0 0 * * MON#1", "UTC", "2026-02-02T00:00+00:00", "2026-03-02 00:00+0"),
    ("16: the last day", "0 0 L * *", "UTC", "2026-02-01T00:00+00:00", "2026-02-28 00:00+0"),
    ("16: the last weekday", "0 0 LW * *", "UTC", "2026-02-01T00:00+00:00", "2026-02-27 00:00+0"),
    ("16: the last Friday", "0 0 * * 5L", "UTC", "2026-02-01T00:00+00:00", "2026-02-27 00:00+0"),
    (
        "34: an interval keeps its times",
        "every 6 h",
        "UTC",
        "2026-02-01T03:17+00:00",
        "2026-02-01 06:00+0, 2026-02-01 12:00+0",
    ),
]


@pytest.mark.parametrize(("text", "zone", "after", "expected"), [row[1:] for row in DUES], ids=[row[0] for row in DUES])
def test_the_next_dues_are(text: str, zone: str, after: str, expected: str) -> None:
    assert shown(text, zone, after, expected.count(",") + 1) == expected.split(", ")


REFUSED = [
    ("13: never due", "0 0 31 2 *", BERLIN, ScheduleError),
    ("16: Friday's last", "0 0 * * FRIL", BERLIN, ScheduleError),
    ("17: six fields", "0 0 0 1 1 *", BERLIN, ScheduleError),
    ("18: one value with a step", "6-6/1 * * * *", BERLIN, ScheduleError),
    ("19: an unknown zone", "30 2 * * *", "Europe/Nowhere", ZoneError),
]


@pytest.mark.parametrize(("text", "zone", "error"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_what_others_take_wrongly_is_refused(text: str, zone: str, error: type[ScheduleError]) -> None:
    with pytest.raises(error):
        parse(text, zone)


@pytest.mark.parametrize("change", ["2026-03-29T03:00+02:00", "2026-10-25T02:00+01:00"], ids=["8: gap", "8: fold"])
@pytest.mark.parametrize("text", ["30 2 * * *", "*/30 2 * * *", "0 * * * *", "59 23 * * *"])
def test_each_second_about_a_change_of_the_clocks_has_its_next_due(change: str, text: str) -> None:
    schedule, middle = parse(text, BERLIN), moment(change)
    found = [schedule.next_after(middle + second) for second in range(-4000, 4000, 7)]

    assert all(due is not None for due in found)
    assert found == sorted(found, key=lambda due: due or 0)


@pytest.mark.parametrize("day", ["2026-03-29T00:00+01:00", "2026-10-25T00:00+02:00"], ids=["9: gap", "9: fold"])
def test_a_change_of_the_clocks_floods_nothing(day: str) -> None:
    start = moment(day)
    hours = 23 if "03-29" in day else 25

    assert len(list(dues(parse("* * * * *", BERLIN), start - 1, start + hours * 3600 - 1))) == hours * 60


@pytest.fixture
def host_zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_the_zone_of_the_row_counts_and_not_the_hosts(host_zone: None) -> None:
    """10."""
    assert shown("0 9 * * *", BERLIN, "2026-02-01T00:00+01:00", 1) == ["2026-02-01 09:00+1"]
    assert parse("at 2026-02-01 09:00", BERLIN).next_after(0) == moment("2026-02-01T09:00+01:00")


@pytest.mark.parametrize("zone", ["UTC", BERLIN, "Asia/Kolkata", "Pacific/Auckland"])
def test_another_time_zone_makes_nothing_due_now(zone: str) -> None:
    """11."""
    now = moment("2026-06-01T10:00:00+00:00")
    due = parse("0 10 * * *", zone).next_after(now)

    assert due is not None
    assert now < due <= now + 86_400


@pytest.fixture
def zone_file(tmp_path: Path) -> Iterator[Callable[[str], None]]:
    """Return a function that makes the zone Test/Zone another one's copy, as an update of tzdata would."""
    sources = [Path(folder) for folder in zoneinfo.TZPATH if (Path(folder) / BERLIN).exists()]

    if not sources:
        pytest.skip("the machine has no time zone data")

    def become(name: str) -> None:
        (tmp_path / "Test").mkdir(exist_ok=True)
        shutil.copy(sources[0] / name, tmp_path / "Test" / "Zone")

    zoneinfo.reset_tzpath(to=[str(tmp_path)])
    yield become
    zoneinfo.reset_tzpath()
    ZoneInfo.clear_cache()


def test_new_zone_data_count_from_the_next_parse_on(zone_file: Callable[[str], None]) -> None:
    """20."""
    zone_file(BERLIN)
    before = parse("0 9 * * *", "Test/Zone").next_after(0)
    zone_file("Asia/Kolkata")
    unseen = parse("0 9 * * *", "Test/Zone").next_after(0)
    clear_zone_cache()

    assert unseen == before == 8 * 3600
    assert parse("0 9 * * *", "Test/Zone").next_after(0) == 3.5 * 3600


def test_new_zone_data_tell_that_a_computed_due_is_none(zone_file: Callable[[str], None]) -> None:
    """21."""
    zone_file(BERLIN)
    due = parse("0 9 * * *", "Test/Zone").next_after(0)
    assert due is not None
    zone_file("Asia/Kolkata")
    clear_zone_cache()

    assert parse("0 9 * * *", "Test/Zone").latest(due - 60, due) is None


def test_the_latest_due_of_a_year_takes_few_questions() -> None:
    """33."""
    asked = []

    class Counting(Every):
        __slots__ = ()

        def _next(self, second: int) -> int:
            asked.append(second)
            return Every._next(self, second)

    now = moment("2026-06-01T10:00:30+00:00")
    schedule = Counting("every 1 min", "UTC", Zone(UTC), 60)

    assert schedule.latest(now - 365 * 86_400, now) == now - 30
    assert len(asked) < 40
    assert schedule.count(now - 365 * 86_400, now) == 365 * 1440


@pytest.mark.parametrize("lateness", [0.0, 0.4, 59.0, 899.0])
def test_an_interval_does_not_drift_by_what_a_run_takes(lateness: float) -> None:
    """35."""
    schedule, due = parse("every 15 min", "UTC"), 0.0
    for _ in range(100):
        due = schedule.next_after(due + lateness) or 0.0

    assert due == 100 * 900


@pytest.mark.parametrize("text", ["30 2 * * *", "every 15 min", "at 2026-06-02 02:30"])
def test_a_timer_that_fires_early_neither_skips_nor_doubles_a_due(text: str) -> None:
    """40."""
    schedule, now = parse(text, BERLIN), moment("2026-06-01T12:00+00:00")
    due = schedule.next_after(now)
    assert due is not None

    assert schedule.next_after(due - 0.002) == due
    assert schedule.latest(now, due - 0.002) is None
    assert schedule.latest(now, due) == due
    assert schedule.next_after(due) != due


def test_a_due_is_one_second_and_not_a_minute() -> None:
    """41."""
    schedule, due = parse("30 2 * * *", BERLIN), moment("2026-06-02T02:30+02:00")

    assert schedule.latest(due - 0.001, due) == due
    assert schedule.latest(due, due + 59.9) is None
    assert schedule.next_after(due + 0.001) == due + timedelta(days=1).total_seconds()


# moments


@pytest.mark.parametrize("wrong", [float("inf"), 1e18, 7_258_118_401.0])
@pytest.mark.parametrize("text", ["* * * * *", "every 10 s", "at 2026-06-02 02:30"])
def test_a_clock_beyond_all_bounds_has_no_next_due(text: str, wrong: float) -> None:
    schedule = parse(text, BERLIN)

    assert schedule.next_after(wrong) is None
    assert schedule.latest(wrong, wrong) is None
    assert schedule.count(wrong, wrong) == 0


@pytest.mark.parametrize("text", ["* * * * *", "every 10 s"])
def test_a_clock_before_1970_is_taken_as_there(text: str) -> None:
    assert parse(text, "UTC").next_after(float("-inf")) == 0.0


def test_a_time_that_runs_backwards_has_no_dues() -> None:
    for text in ("* * * * *", "every 10 s", "at 2026-06-02 02:30"):
        schedule = parse(text, "UTC")

        assert schedule.latest(2e9, 1e9) is None
        assert schedule.count(2e9, 1e9) == 0


def test_a_moment_with_an_offset_is_that_moment_in_any_zone() -> None:
    for text in ("at 2026-12-24 18:00+05:30", "at 2026-12-24T12:30Z", "AT 2026-12-24 12:30:00 +00:00"):
        assert parse(text, BERLIN).next_after(0) == moment("2026-12-24T12:30+00:00")


def test_a_moment_in_the_fold_is_the_first_one() -> None:
    assert parse("at 2026-10-25 02:30:15", BERLIN).next_after(0) == moment("2026-10-25T02:30:15+02:00")


def test_a_moment_that_is_past_is_read_and_not_due() -> None:
    schedule = parse("at 2020-01-01 00:00", "UTC")

    assert schedule.next_after(moment("2026-01-01T00:00+00:00")) is None
    assert schedule.latest(moment("2019-01-01T00:00+00:00"), moment("2026-01-01T00:00+00:00")) is not None


def test_a_schedule_is_equal_to_one_of_the_same_text_and_zone() -> None:
    assert parse("30 2 * * *", BERLIN) == parse("30 2 * * *", BERLIN) != parse("30 2 * * *", "UTC")

"""What is no schedule, and what is said of it."""

import re
import sys
import zoneinfo
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from workerd.wire.schedule import ScheduleError, ZoneError, parse
from workerd.wire.schedule.text import UNITS

REFUSED = {
    "0 0 1 1 * 0": "has 6 fields: seconds and years are not known; write five",
    "0 0 0 1 1 ? 2030": "has 7 fields",
    "": "it is blank",
    " \t": "it is blank",
    "\u00a0": "leave it empty, so that the job runs always",
    "0 0 * *": "is no schedule: write “30 2 * * *”",
    "soon": "is no schedule",
    "@reboot": "a row without a schedule starts with the daemon",
    "@fortnightly": "write one of @hourly, @daily",
    "@every 5m": "write “every 15 min”",
    "TZ=UTC 0 0 * * *": "the time zone stands in its own field",
    "*/5 * * * * /usr/bin/true": "the command stands in its own field",
    "0 0 1, 2 * *": "write a list without, such as “1,15”",
    "6-6/1 * * * *": "write “6”, or “6-59/1”",
    "06-6/2 * * * *": "write “06”, or “06-59/2”",
    "0 0 * * MON-1/2": "write “MON”",
    "0 0 ? * 1": "write “*” for any",
    "0 0 15W * *": "“LW” is the month's last weekday",
    "H H * * *": "write a fixed one, such as 7",
    "H/15 * * * *": "write a fixed one",
    "R R * * *": "write a fixed one",
    "0 22-2 * * *": "write “22,23,0,1,2”",
    "0 22-2/2 * * *": "write “22,0,2”",
    "0 0 * * FRI-MON": "write “5,6,0,1”",
    "0 0 * NOV-FEB *": "write “11,12,1,2”",
    "50-10/20 * * * *": "write “50,10”",
    "0 0 * * sunday": "write “SUN”",
    "0 0 * january *": "write “JAN”",
    "0 0 * * L5": "is “5L”",
    "0 0 * * FRIL": "is “5L”",
    "0 0 * * MON#6": "is no weekday",
    "0 0 L-3 * *": "is no day of the month: write 1 to 31",
    "0 0 L/2 * *": "is no day of the month",
    "0 0 0 * *": "“0” is no day of the month: write 1 to 31",
    "0 0 * 13 *": "“13” is no month: write 1 to 12 or JAN to DEC",
    "60 * * * *": "“60” is no minute: write 0 to 59",
    "0 24 * * *": "“24” is no hour: write 0 to 23",
    "0 0 * * 8": "“8” is no weekday: write 0 to 7 or SUN to SAT",
    "*/61 * * * *": "write the values",
    "*/0 * * * *": "write 1 or more",
    "1,,2 * * * *": "take the comma away",
    "-5 * * * *": "is no minute",
    "1/2/3 * * * *": "is no minute",
    "٣ * * * *": "is no minute",
    "0 0 31 2 *": "is never due: no date fits it",
    "0 0 30,31 2 */2": "is never due",
    "0 0 31 4,6,9,11 *": "is never due",
    "0 0 */20 * 1L": "is never due",
    "every 0": "is no interval",
    "every 0 min": "write 10 s or more",
    "every 9 s": "write 10 s or more; for less, leave the schedule blank",
    "every\tminute": "such as “every 15 min”",
    "every 15": "such as “every 15 min”",
    "every 1.5 h": "a whole number",
    "every 2 weeks": "s, min, h or d",
    "every -5 min": "is no interval",
    "every 400 d": "write 366 d or less",
    "every 999999999 d": "write 366 d or less",
    "every 1234567890123 d": "is no interval",
    "at tomorrow": "write “at 2026-12-24 18:00”",
    "at 2026-12-24": "write “at 2026-12-24 18:00”",
    "at 2026-13-24 18:00": "is no moment",
    "at 2026-02-30 18:00": "is no moment",
    "at 2026-12-24 24:00": "is no moment",
    "at 2026-12-24 18:00+25:00": "is no moment",
    "at 2026-12-24 18:00 Berlin": "is no moment",
    "at 2026-12-24 18:00+0100": "is no moment",
    "at 20261-12-24 18:00": "is no moment",
    "at 1969-12-24 18:00": "is not between 1970 and 2200",
    "at 0001-01-01 00:00+23:00": "is not between 1970 and 2200",
    "at 9999-12-31 23:59-23:00": "is not between 1970 and 2200",
    "0 " * 101: "at most 200 characters",
}


@pytest.mark.parametrize(("text", "said"), REFUSED.items())
def test_what_is_no_schedule_is_refused_with_what_to_write(text: str, said: str) -> None:
    with pytest.raises(ScheduleError) as refused:
        parse(text, "UTC")

    assert said in str(refused.value)
    assert isinstance(refused.value, ValueError)


@pytest.mark.parametrize(
    "text", [" 30  2\t* * *\n", "@Daily", "@MIDNIGHT", "0 0 * jan mon", "EVERY 5 MIN", "0 0 1-1 * *"]
)
def test_spaces_and_capitals_are_free(text: str) -> None:
    assert parse(text, "UTC").text == text.strip()


@pytest.mark.parametrize(("spelling", "size"), UNITS.items())
def test_an_interval_is_written_in_any_of_its_spellings(spelling: str, size: int) -> None:
    assert (
        parse(f"every 20{spelling}", "UTC").next_after(0)
        == parse(f"every 20 {spelling}", "UTC").next_after(0)
        == 20 * size
    )


ZONES = {
    "Europe/Nowhere": "write a name such as Europe/Berlin",
    "Berlin": "write a name such as Europe/Berlin",
    "": "write a name such as Europe/Berlin",
    "../zone": "write a name such as Europe/Berlin",
    "/etc/localtime": "may not be absolute paths",
    "Europe": "write a name such as Europe/Berlin",
    "a\0b": "write a name such as Europe/Berlin",
    "x" * 500: "write a name such as Europe/Berlin",
    "\ud800": "write a name such as Europe/Berlin",
}


@pytest.mark.parametrize(("zone", "said"), ZONES.items(), ids=ascii)
def test_an_unknown_zone_is_refused_with_the_reason(zone: str, said: str) -> None:
    with pytest.raises(ZoneError, match="is no time zone of this machine") as refused:
        parse("30 2 * * *", zone)

    assert said in str(refused.value)


@pytest.fixture
def no_zone_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(sys.modules, "tzdata", None)
    zoneinfo.reset_tzpath(to=[str(tmp_path)])
    ZoneInfo.clear_cache()
    yield
    zoneinfo.reset_tzpath()
    ZoneInfo.clear_cache()


def test_a_machine_without_zone_data_says_so(no_zone_data: None) -> None:
    with pytest.raises(ZoneError, match="has no time zone data; install the package tzdata"):
        parse("30 2 * * *", "Europe/Berlin")


def test_utc_needs_no_zone_data(no_zone_data: None) -> None:
    assert parse("30 2 * * *", "UTC").next_after(0) == 2.5 * 3600


def examples(heading: str) -> list[str]:
    """Return what the first column of a table of docs/schedules.md has people write."""
    page = (Path(__file__).resolve().parents[2] / "docs" / "schedules.md").read_text()
    table = page.partition(f"| {heading} |")[2].partition("\n\n")[0]
    return [found for row in table.splitlines()[2:] for found in re.findall(r"`([^`]+)`", row.split(" | ")[0])]


@pytest.mark.parametrize("text", examples("schedule"))
def test_a_schedule_of_the_page_is_one(text: str) -> None:
    assert parse(text, "Europe/Berlin").next_after(0) is not None


@pytest.mark.parametrize("text", examples("refused"))
def test_what_the_page_calls_refused_is(text: str) -> None:
    with pytest.raises(ScheduleError):
        parse(text, "Europe/Berlin")


def test_a_schedule_whose_every_time_the_clocks_skip_is_refused() -> None:
    with pytest.raises(ScheduleError, match=r"is never due: .* the clocks skip it each time"):
        parse("*/30 2 * 3 0L", "Europe/Berlin")

    assert parse("*/30 2 * 3 0L", "UTC").next_after(0) is not None

"""OnCalendar as five fields: compared with what systemd itself says, recorded here and asked where it is installed."""

import os
import random
import re
import shutil
import subprocess
from collections.abc import Iterable
from datetime import UTC, datetime

import pytest

from workerd.adopt.calendars import CalendarError, merge, to_cron
from workerd.adopt.on_calendar import read_calendar
from workerd.wire.schedule import parse

BASE = datetime(2026, 1, 1, tzinfo=UTC).timestamp()

CALENDARS = {
    "*-*-* 03:30:00": ("30 3 * * *", "2026-01-01 03:30, 2026-01-02 03:30"),
    "03:30": ("30 3 * * *", "2026-01-01 03:30, 2026-01-02 03:30"),
    "minutely": ("* * * * *", "2026-01-01 00:01, 2026-01-01 00:02"),
    "hourly": ("0 * * * *", "2026-01-01 01:00, 2026-01-01 02:00"),
    "daily": ("0 0 * * *", "2026-01-02 00:00, 2026-01-03 00:00"),
    "Weekly": ("0 0 * * MON", "2026-01-05 00:00, 2026-01-12 00:00"),
    "monthly": ("0 0 1 * *", "2026-02-01 00:00, 2026-03-01 00:00"),
    "quarterly": ("0 0 1 */3 *", "2026-04-01 00:00, 2026-07-01 00:00"),
    "semiannually": ("0 0 1 1,7 *", "2026-07-01 00:00, 2027-01-01 00:00"),
    "yearly": ("0 0 1 1 *", "2027-01-01 00:00, 2028-01-01 00:00"),
    "Mon..Fri *-*-* 07,12,18:00:00": ("0 7,12,18 * * MON-FRI", "2026-01-01 07:00, 2026-01-01 12:00"),
    "Mon-Wed,Sat 10:00": ("0 10 * * MON-WED,SAT", "2026-01-03 10:00, 2026-01-05 10:00"),
    "Fri..Sun 9:00": ("0 9 * * FRI,SAT,SUN", "2026-01-02 09:00, 2026-01-03 09:00"),
    "tuesday,Thursday": ("0 0 * * TUE,THU", "2026-01-06 00:00, 2026-01-08 00:00"),
    "*:0/15": ("*/15 * * * *", "2026-01-01 00:15, 2026-01-01 00:30"),
    "*:5/20": ("5/20 * * * *", "2026-01-01 00:05, 2026-01-01 00:25"),
    "*-*-* 0/2:30": ("30 */2 * * *", "2026-01-01 00:30, 2026-01-01 02:30"),
    "*-*-* 8..18/5:00": ("0 8,13,18 * * *", "2026-01-01 08:00, 2026-01-01 13:00"),
    "*-*-1,15 4:00": ("0 4 1,15 * *", "2026-01-01 04:00, 2026-01-15 04:00"),
    "*-12-24..26 18:00": ("0 18 24-26 12 *", "2026-12-24 18:00, 2026-12-25 18:00"),
    "02-29": ("0 0 29 2 *", "2028-02-29 00:00, 2032-02-29 00:00"),
    "Mon *-*-1/2 4:00": ("0 4 */2 * MON", "2026-01-05 04:00, 2026-01-19 04:00"),
    "Mon *-*-1..7 4:00": ("0 4 * * MON#1", "2026-01-05 04:00, 2026-02-02 04:00"),
    "Tue,Fri *-*-15..21": ("0 0 * * TUE#3,FRI#3", "2026-01-16 00:00, 2026-01-20 00:00"),
    "Sat *-*-29..31": ("0 0 * * SAT#5", "2026-01-31 00:00, 2026-05-30 00:00"),
    "*-*~01 23:50": ("50 23 L * *", "2026-01-31 23:50, 2026-02-28 23:50"),
    "Fri *-*~7/1": ("0 0 * * 5L", "2026-01-30 00:00, 2026-02-27 00:00"),
    "Sun *-3~07/1 1:00": ("0 1 * 3 0L", "2026-03-29 01:00, 2027-03-28 01:00"),
    "daily UTC": ("0 0 * * *", "2026-01-02 00:00, 2026-01-03 00:00"),
    "*-*-* 07:00 Europe/Berlin": ("0 7 * * *", "2026-01-01 06:00, 2026-01-02 06:00"),
}
"""The five fields, and the first two moments after the beginning of 2026, in UTC, as systemd 252 printed them."""

SECONDS, YEAR, END = "it names seconds", "it names a year", "it counts days from the end of the month"
EITHER, UNKNOWN = "it wants a day of the month and a weekday at once", "it is no calendar that is known here"
REFUSED = {
    "*:*:0/10": SECONDS,
    "03:30:15": SECONDS,
    "2026-12-24 18:00": YEAR,
    "2025..2030-01-01": YEAR,
    "*-*~03": END,
    "*-*~01..03": END,
    "Mon *-*~01": END,
    "Mon *-*-1..5": EITHER,
    "Mon *-*-1..14": EITHER,
    **dict.fromkeys(
        [
            *("", " ", "*/2:00", "18", "4:60", "24:00", "5..2:00", "*-13-01", "*-*-0", "0/0:00", "4:", ":4", "Mon,"),
            *("Fri..Mon", "Blursday", "Europe/Berlin", "* *:0", "4:00 5:00", "@1700000000", "٣:00", "*-*-*~1"),
            f"{'9' * 5000}:00",
        ],
        UNKNOWN,
    ),
}


def moments(cron: str, zone: str, count: int) -> list[str]:
    schedule = parse(cron, zone or "UTC")
    found: list[str] = []
    moment = schedule.next_after(BASE)
    while moment is not None and len(found) < count:
        found.append(f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M}")
        moment = schedule.next_after(moment)
    return found


@pytest.mark.parametrize("text", CALENDARS)
def test_an_exact_calendar_becomes_five_fields(text: str) -> None:
    cron, recorded = CALENDARS[text]
    calendar = read_calendar(text)
    assert to_cron(calendar) == cron
    assert ", ".join(moments(cron, calendar.zone, 2)) == recorded


def test_a_zone_is_kept() -> None:
    assert read_calendar("daily utc").zone == "UTC"
    assert read_calendar("daily Asia/Tokyo").zone == "Asia/Tokyo"
    assert read_calendar("daily").zone == ""


@pytest.mark.parametrize("text", REFUSED)
def test_what_no_five_fields_say_is_refused_with_the_reason(text: str) -> None:
    with pytest.raises(CalendarError, match=re.escape(REFUSED[text])):
        to_cron(read_calendar(text))


def test_calendars_merge_only_where_one_schedule_says_both() -> None:
    def merged(*texts: str) -> list[str]:
        return [to_cron(calendar) for calendar in merge(map(read_calendar, texts))]

    assert merged("07:00", "12:00", "18:00") == ["0 7,12,18 * * *"]
    assert merged("Mon 9:00", "Wed 9:00", "daily") == ["0 9 * * MON,WED", "0 0 * * *"]
    assert merged("07:00", "12:30") == ["0 7 * * *", "30 12 * * *"]
    assert merged("07:00", "12:30", "07:30", "12:00") == ["0,30 7,12 * * *"]
    assert merged("Mon *-*-1..7", "Mon *-*-8..14") == ["0 0 * * MON#1", "0 0 * * MON#2"]
    assert merged("*-*-1", "*-*~1") == ["0 0 1 * *", "0 0 L * *"]
    assert merged("daily", "daily UTC", "daily") == ["0 0 * * *", "0 0 * * *"]


needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze")


def elapses(texts: Iterable[str], count: int) -> list[list[str]]:
    """Return what systemd says of each calendar."""
    words = ["systemd-analyze", "calendar", f"--iterations={count}", "--base-time=2026-01-01 00:00:00 UTC", *texts]
    done = subprocess.run(words, capture_output=True, text=True, check=True, env={**os.environ, "TZ": "UTC"})
    blocks = done.stdout.split("Normalized form:")[1:]
    line = re.compile(r"(?:elapse|Iter\. #\d+): ... (\d{4}-\d\d-\d\d \d\d:\d\d):00 UTC")
    return [line.findall(block) for block in blocks]


@needs_systemd
def test_systemd_names_the_same_fifty_moments() -> None:
    for text, said in zip(CALENDARS, elapses(CALENDARS, 50), strict=True):
        calendar = read_calendar(text)
        assert said == moments(to_cron(calendar), calendar.zone, 50), text


@needs_systemd
def test_systemd_names_the_same_moments_for_any_calendar() -> None:
    chance = random.Random(14)
    texts = [any_calendar(chance) for _ in range(300)]
    crons = [written(text) for text in texts]
    assert sum(EITHER in cron for cron in crons) < 150

    for text, cron, said in zip(texts, crons, elapses(texts, 50), strict=True):
        assert EITHER in cron or said == moments(cron, "", 50), text


def written(text: str) -> str:
    try:
        return to_cron(read_calendar(text))
    except CalendarError as error:
        return str(error)


def any_calendar(chance: random.Random) -> str:
    day = chance.choice(("*", "1..7", "8..14", "22..28", "1,15", "3/5", "*", chain(chance, 1, 28), "1/2"))
    weekday = chance.choice(("", "", "Mon ", "Sat,Sun ", "Mon..Fri ", "Tue,Thu..Sat "))
    month = chance.choice(("*", "*", chain(chance, 1, 12)))
    return f"{weekday}*-{month}-{day} {chain(chance, 0, 23)}:{chain(chance, 0, 59)}"


def chain(chance: random.Random, low: int, high: int) -> str:
    first = chance.randint(low, high - 1)
    last = chance.randint(first + 1, high)
    step = chance.randint(1, last - first)
    shapes = ("*", f"{first}", f"{first},{last}", f"{first}..{last}", f"{first}/{step}", f"{first}..{last}/{step}")
    return chance.choice(shapes)

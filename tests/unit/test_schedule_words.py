"""A schedule in words, and the next dues with what the clocks do to them."""

from datetime import datetime

import pytest

from workerd.wire.schedule import Due, explain, next_clock_change, parse, upcoming

BERLIN = "Europe/Berlin"

WORDS = {
    "30 2 * * *": "At 02:30 every day",
    "@hourly": "At the start of every hour",
    "@daily": "At 00:00 every day",
    "@weekly": "At 00:00 on Sunday",
    "@monthly": "At 00:00 on the first day of every month",
    "@yearly": "At 00:00 on January 1",
    "*/15 9-17 * * MON-FRI": "Every 15th minute from 09:00 through 17:59 on Monday through Friday",
    "*/25 * * * *": "At minutes 0, 25, and 50 of every hour",
    "0-59/25 * * * *": "At minutes 0, 25, and 50 of every hour",
    "0 */10 * * *": "At 00:00, 10:00, and 20:00 every day",
    "*,5 * * * *": "Every minute",
    "0 0 21 * *": "At 00:00 on the 21st day of every month",
    "0 0 13 * 5": "At 00:00 on the 13th day of month, and also on Friday",
    "0 0 */2 * 1": "At 00:00 on every second day of month if it's on Monday",
    "0 0 13 * 0-7": "At 00:00 every day",
    "0 0 1-31 * 1": "At 00:00 every day",
    "0 0 *,13 * 5": "At 00:00 on Friday",
    "0 0 * 1-12 *": "At 00:00 every day",
    "every 15 min": "Every 15 minutes, counted from midnight UTC",
    "every 60 minutes": "Every hour, counted from midnight UTC",
    "every 7 h": "Every 7 hours, counted from 1 January 1970, 00:00 UTC",
    "every 90 s": "Every 90 seconds, counted from midnight UTC",
    "at 2026-12-24 18:00": "Once, on 24 December 2026 at 18:00",
    "at 2026-12-24 18:00:05Z": "Once, on 24 December 2026 at 19:00:05",
}


@pytest.mark.parametrize(("text", "words"), WORDS.items())
def test_a_schedule_in_words(text: str, words: str) -> None:
    assert explain(parse(text, BERLIN)) == words


def moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def test_the_next_dues_tell_a_time_that_does_not_exist() -> None:
    found = upcoming(parse("30 2 * * *", BERLIN), moment("2026-03-28T00:00+01:00"), 3)

    assert [(due.local, due.remark) for due in found] == [
        ("Sat 28 Mar 02:30", ""),
        ("Sun 29 Mar 03:00", "02:30 does not exist on 29 March: the clocks go forward"),
        ("Mon 30 Mar 02:30", ""),
    ]
    assert found[1].moment == moment("2026-03-29T03:00+02:00")


def test_the_next_dues_tell_a_time_that_exists_twice() -> None:
    found = upcoming(parse("30 2 * * *", BERLIN), moment("2026-10-25T00:00+02:00"), 2)

    assert [(due.local, due.remark) for due in found] == [
        ("Sun 25 Oct 02:30", "the first of two 02:30: the clocks go back"),
        ("Mon 26 Oct 02:30", ""),
    ]


def test_the_next_dues_tell_both_hours_of_the_fold() -> None:
    found = upcoming(parse("@hourly", BERLIN), moment("2026-10-25T01:30+02:00"), 3)

    assert [(due.local, due.remark) for due in found] == [
        ("Sun 25 Oct 02:00", "the first of two 02:00: the clocks go back"),
        ("Sun 25 Oct 02:00", "the second of two 02:00: the clocks go back"),
        ("Sun 25 Oct 03:00", ""),
    ]


def test_the_next_dues_of_another_year_have_their_year() -> None:
    found = upcoming(parse("0 0 29 2 *", BERLIN), moment("2026-01-01T00:00+01:00"), 2)

    assert [due.local for due in found] == ["Tue 29 Feb 2028 00:00", "Sun 29 Feb 2032 00:00"]


def test_a_moment_that_does_not_exist_is_told() -> None:
    schedule = parse("at 2026-03-29 02:30", BERLIN)

    assert upcoming(schedule, moment("2026-01-01T00:00+01:00")) == [
        Due(
            moment("2026-03-29T03:00+02:00"),
            "Sun 29 Mar 03:00",
            "02:30 does not exist on 29 March: the clocks go forward",
        )
    ]
    assert upcoming(schedule, moment("2026-04-01T00:00+02:00")) == []


CHANGES = [
    ("30 2 * * *", BERLIN, "2026-01-01T00:00+01:00", "Sun 29 Mar 03:00"),
    ("30 2 * * *", BERLIN, "2026-03-29T03:00+02:00", "Sun 25 Oct 02:30"),
    ("30 2 * * *", BERLIN, "2026-10-25T02:29:59+02:00", "Sun 25 Oct 02:30"),
    ("30 2 * * *", BERLIN, "2026-10-25T02:30+02:00", "Sun 28 Mar 2027 03:00"),
    ("@hourly", BERLIN, "2026-10-25T02:30+02:00", "Sun 25 Oct 02:00"),
    ("@daily", "America/Santiago", "2026-02-01T00:00+00:00", "Sun 6 Sep 01:00"),
    ("15 2 * * *", "Australia/Lord_Howe", "2026-05-01T00:00+00:00", "Sun 4 Oct 02:30"),
]


@pytest.mark.parametrize(("text", "zone", "after", "local"), CHANGES)
def test_the_next_due_that_a_change_of_the_clocks_moves(text: str, zone: str, after: str, local: str) -> None:
    due = next_clock_change(parse(text, zone), moment(after))

    assert due is not None
    assert (due.local, bool(due.remark)) == (local, True)
    assert due.moment > moment(after)


@pytest.mark.parametrize(
    ("text", "zone"),
    [("30 12 * * *", BERLIN), ("30 2 * * *", "Asia/Kolkata"), ("* * * * *", "UTC"), ("every 30 min", BERLIN)],
)
def test_a_schedule_that_no_change_of_the_clocks_touches_has_none(text: str, zone: str) -> None:
    assert next_clock_change(parse(text, zone), moment("2026-01-01T00:00+00:00")) is None


@pytest.mark.parametrize("text", ["30 2 * * *", "every 30 min", "at 2026-03-29 02:30"])
def test_a_clock_beyond_all_bounds_has_no_next_dues(text: str) -> None:
    schedule = parse(text, BERLIN)

    assert upcoming(schedule, 1e18) == []
    assert next_clock_change(schedule, 1e18) is None

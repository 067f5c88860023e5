"""Any schedule, in any zone, from any moment: next, latest and count agree, and fields agree with cron's rules."""

from datetime import UTC, datetime

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from tests.harness.properties import examples
from workerd.wire.schedule import Schedule, ScheduleError, explain, next_clock_change, parse, upcoming
from workerd.wire.schedule.zone import DAY

from . import cron_rules

ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Europe/Dublin",
    "Africa/Casablanca",
    "America/Santiago",
    "Asia/Beirut",
    "America/Havana",
    "Australia/Lord_Howe",
    "Antarctica/Troll",
    "Pacific/Apia",
    "Pacific/Chatham",
    "Asia/Kathmandu",
)
START, END = (int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) for year in (2010, 2045))


def field(low: int, high: int, *special: str) -> st.SearchStrategy[str]:
    value = st.integers(low, high)
    step = st.integers(1, (high - low) // 2)
    spans = st.tuples(value, value).filter(lambda pair: pair[0] < pair[1])
    terms = [
        st.just("*"),
        value.map(str),
        step.map("*/{}".format),
        spans.map(lambda pair: f"{pair[0]}-{pair[1]}"),
        st.tuples(spans, step).map(lambda pair: f"{pair[0][0]}-{pair[0][1]}/{pair[1]}"),
        st.tuples(value, step).map(lambda pair: f"{pair[0]}/{pair[1]}"),
    ]
    lists = st.lists(st.one_of(terms), min_size=1, max_size=3).map(",".join)
    return st.one_of(st.just("*"), lists, *(st.just(text) for text in special))


def changes(zone: str) -> list[int]:
    clocks = parse("@daily", zone).clock
    return [span.start for span in clocks.spans(START, END) if span.offset != span.before] or [START]


CHANGES = {zone: changes(zone) for zone in ZONES}
fields = st.tuples(
    field(0, 59), field(0, 23), field(1, 31, "L", "LW"), field(1, 12), field(0, 7, "5L", "MON#1", "7#5", "0L")
).map(" ".join)
near = st.integers(-DAY, DAY) | st.integers(-9000, 9000)
places = st.sampled_from(ZONES).flatmap(
    lambda zone: st.tuples(st.just(zone), st.builds(int.__add__, st.sampled_from(CHANGES[zone]), near))
)
PARTS = [*"0123456789*/-,#?LWH@ ", "every ", "at ", "MON", "JAN"]
texts = fields | st.integers(10, 10**7).map("every {} s".format)


def read(text: str, zone: str) -> Schedule:
    try:
        return parse(text, zone)
    except ScheduleError as error:
        assert "is never due" in str(error), text  # noqa: PT017
        assume(False)
        raise


@settings(max_examples=examples(50))
@given(texts, places, st.floats(0, 1, exclude_max=True), st.floats(0, 1, exclude_max=True))
@example("30 2 * * *", ("Europe/Berlin", 1_792_890_900), 0.0, 0.5)
def test_the_next_due_is_later_and_the_same_from_each_moment_before_it(
    text: str, place: tuple[str, int], part: float, way: float
) -> None:
    schedule, after = read(text, place[0]), place[1] + part
    due = schedule.next_after(after)

    assert due is not None
    assert due > after
    assert due == int(due)
    assert schedule.next_after(min(after + (due - after) * way, due - 0.001)) == due


@pytest.mark.slow
@settings(max_examples=examples(50))
@given(texts, places, st.floats(0, 3 * DAY))
def test_latest_and_count_agree_with_a_walk(text: str, place: tuple[str, int], length: float) -> None:
    schedule, after = read(text, place[0]), float(place[1])
    until = after + length
    walked, due = [], schedule.next_after(after)
    while due is not None and due <= until:
        walked.append(due)
        due = schedule.next_after(due)

    assert schedule.latest(after, until) == (walked[-1] if walked else None)
    assert schedule.count(after, until) == len(walked)


@pytest.mark.slow
@settings(max_examples=examples(60))
@given(fields, places)
def test_fields_are_due_by_crons_rules(text: str, place: tuple[str, int]) -> None:
    zone, middle = place
    schedule = read(text, zone)
    start = (middle - DAY // 2) // 60 * 60
    expected = cron_rules.dues(text, cron_rules.minutes(zone, start, start + DAY))

    found, due = [], schedule.next_after(start)
    while due is not None and due < start + DAY:
        found.append(due)
        due = schedule.next_after(due)
    assert found == expected


@settings(max_examples=examples(50))
@given(texts, places)
def test_every_schedule_has_words_and_next_dues(text: str, place: tuple[str, int]) -> None:
    schedule, after = read(text, place[0]), float(place[1])
    found = upcoming(schedule, after, 3)

    assert "\n" not in explain(schedule)
    assert [due.moment for due in found] == sorted({due.moment for due in found})
    changed = next_clock_change(schedule, after)
    assert changed is None or (changed.remark and changed.moment > after)


@settings(max_examples=examples(100))
@given(
    st.text(max_size=40)
    | st.lists(st.sampled_from([*"0123456789*/-,#?LWH@ ", "every ", "at ", "MON", "JAN"])).map("".join)
)
def test_any_text_is_a_schedule_or_a_refusal(text: str) -> None:
    assume(text.strip())
    try:
        schedule = parse(text, "Europe/Berlin")
    except ScheduleError as error:
        assert str(error)  # noqa: PT017
    else:
        assert explain(schedule)

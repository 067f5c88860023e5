"""Durations as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workerd.durations import MAX_SECONDS, DurationError, format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90.0),
        ("5 min", 300.0),
        ("1h", 3600.0),
        ("1h 30m", 5400.0),
        ("1H30MIN", 5400.0),
        ("250ms", 0.25),
        ("1.5 d", 129600.0),
        ("2 days 3 hours", 183600.0),
        (" 7 ", 7.0),
        (".5", 0.5),
        ("0", 0.0),
        ("0.1", 0.1),
    ],
)
def test_text_is_read_as_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["", " ", "soon", "5 parsecs", "1h 30", "1h 1h", "-5", "+5", "inf", "nan", "1e5", "5 5", "1,5 s", "٣s", "1" * 61],
)
def test_what_is_no_duration_is_refused_by_a_sentence_with_an_example(text: str) -> None:
    with pytest.raises(DurationError, match=r"is not a duration: write it like 90s, 5 min, 1h 30m"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.25, "250 ms"),
        (0.0005, "0.5 ms"),
        (1.5, "1.5 s"),
        (60, "1 min"),
        (90, "1 min 30 s"),
        (300.0, "5 min"),
        (5400, "1 h 30 min"),
        (86400, "1 d"),
        (30 * 86400.0, "30 d"),
        (3600.5, "1 h 0.5 s"),
    ],
)
def test_seconds_are_shown_as_people_write_them(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@given(st.floats(min_value=1e-6, max_value=MAX_SECONDS))
def test_what_is_shown_reads_back_as_exactly_the_same(seconds: float) -> None:
    assert parse_duration(format_duration(seconds)) == seconds


@given(st.text(max_size=80))
def test_any_text_is_a_duration_or_a_duration_error(text: str) -> None:
    try:
        seconds = parse_duration(text)
    except DurationError:
        return

    assert seconds >= 0


@pytest.mark.parametrize("seconds", [-1.0, float("inf"), float("nan")])
def test_what_no_row_may_hold_is_not_shown_as_a_duration(seconds: float) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        format_duration(seconds)

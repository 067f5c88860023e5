"""What becomes of due moments, by the rules: the latest is run for if it may be, and each of the others is missed."""

from hypothesis import given
from hypothesis import strategies as st

from workerd.daemon.rules.dues import LATE_S, SHORTEST_S, Dues, Gap, Settled, SpreadTimes, gap_run, settle
from workerd.wire.schedule import parse
from workerd.wire.words import Trigger

MINUTELY, TENTHS = parse("* * * * *", "UTC"), parse("every 10 s", "UTC")
NOON = 1_772_452_800.0  # 2026-03-02 12:00


def test_a_span_without_a_due_settles_nothing() -> None:
    assert settle(MINUTELY, NOON, NOON + 59.9, 600) == Settled(None, None)


def test_a_due_on_time_is_run_for() -> None:
    settled = settle(MINUTELY, NOON + 59.5, NOON + 60.2, 600)

    assert settled.due is not None
    assert (settled.due.moment, settled.due.trigger, settled.missed) == (NOON + 60, Trigger.SCHEDULE, None)


def test_a_late_start_is_made_up_for() -> None:
    settled = settle(MINUTELY, NOON, NOON + 60 + LATE_S + 0.1, 600)

    assert settled.due is not None
    assert settled.due.trigger is Trigger.CATCH_UP


def test_a_start_that_is_too_late_is_missed() -> None:
    assert settle(MINUTELY, NOON, NOON + 119, 30) == Settled(None, Gap(NOON + 60, NOON + 60, 1))


def test_a_start_is_never_too_late_within_the_shortest_time() -> None:
    assert settle(MINUTELY, NOON, NOON + 60 + SHORTEST_S, 0).due is not None
    assert settle(MINUTELY, NOON, NOON + 60 + SHORTEST_S + 0.1, 0).due is None


def test_of_many_the_latest_is_run_for_and_the_others_are_one_gap() -> None:
    settled = settle(MINUTELY, NOON, NOON + 3605, 600)

    assert settled.missed == Gap(NOON + 60, NOON + 3540, 59)
    assert settled.due is not None
    assert settled.due.moment == NOON + 3600


@given(since=st.floats(0, 1e5), span=st.floats(0, 1e4), start_within=st.floats(0, 1e3), later=st.floats(0, 60))
def test_each_due_of_a_span_is_run_for_or_missed_and_never_both(
    since: float, span: float, start_within: float, later: float
) -> None:
    times = SpreadTimes(TENTHS, later)
    begin, end = NOON + since, NOON + since + span
    due, missed = settle(times, begin, end, start_within)

    assert (missed.count if missed else 0) + (due is not None) == times.count(begin, end)
    if due is not None:
        assert begin < due.moment <= end
        assert missed is None or missed.last < due.moment
    if missed is not None:
        assert begin < missed.first <= missed.last <= end


def test_gaps_of_one_reason_are_one_row() -> None:
    first, second = Gap(1.0, 1.0, 1, "it slept", "a"), Gap(2.0, 3.0, 2, "it slept", "b")

    assert first.extended(second) == Gap(1.0, 3.0, 3, "it slept", "a")
    other = Gap(2.0, 3.0, 2, "parked", "b")
    assert first.extended(other) == other


def test_what_is_accounted_for_is_never_taken_back() -> None:
    dues = Dues()
    dues.account(5.0)
    dues.account(3.0)

    assert dues.settled == 5.0


def test_the_row_of_a_gap_has_the_same_key_when_it_is_recorded_twice() -> None:
    assert gap_run("n", 1, 0, 5.0) == gap_run("n", 1, 0, 5.0)
    assert len({gap_run("n", job, index, first) for job in (1, 2) for index in (0, 1) for first in (5.0, 6.0)}) == 8

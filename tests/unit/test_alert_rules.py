"""The rules of alerts, as tables: what is new, how long it is quiet, how many leave, when a failure is tried again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workerd.notifier import rules
from workerd.notifier.rules import Heard

NOW = 1_760_000_000.0


@pytest.mark.parametrize(
    ("kind", "over", "holds", "raised_at", "heard"),
    [
        ("parked", False, False, None, Heard.RAISED),
        ("parked", False, True, 1.0, Heard.NOTHING_NEW),
        ("parked", True, True, 1.0, Heard.OVER),
        ("parked", True, False, None, Heard.NOTHING_NEW),
        ("seat_lost", False, True, 1.0, Heard.RAISED),
        ("seat_lost", False, True, 5.0, Heard.NOTHING_NEW),
        ("of_a_newer_release", False, False, None, Heard.RAISED),
    ],
)
def test_what_is_new(kind: str, over: bool, holds: bool, raised_at: float | None, heard: Heard) -> None:
    assert rules.hear(kind, over=over, at=5.0, holds=holds, raised_at=raised_at) is heard


@pytest.mark.parametrize(
    ("told", "holds", "state"),
    [(False, True, "raised"), (False, False, "passed"), (True, True, None), (True, False, "resolved")],
)
def test_what_a_way_is_told_next(told: bool, holds: bool, state: str | None) -> None:
    assert rules.state_to_send(told=told, holds=holds) == state


@pytest.mark.parametrize(
    ("last", "until"),
    [
        (None, 0.0),
        (NOW, NOW + 900),
        (NOW - 899, NOW + 1),
        (NOW - 900, 0.0),
        (NOW - 5000, 0.0),
        (NOW + 1, 0.0),
        (NOW + 90_000, 0.0),
    ],
)
def test_how_long_a_key_is_quiet(last: float | None, until: float) -> None:
    assert rules.quiet_until(last, NOW, 900.0) == until


def test_a_quiet_time_of_none_is_none() -> None:
    assert rules.quiet_until(NOW, NOW, 0.0) == 0.0


@given(times=st.lists(st.floats(-10_000, 10_000), max_size=30), per_hour=st.integers(1, 10))
def test_within_any_hour_no_more_leave_than_may(times: list[float], per_hour: int) -> None:
    left: list[float] = []
    for at in sorted(times):
        if rules.may_leave(left, at, per_hour):
            left.append(at)

    for at in left:
        assert sum(at - rules.HOUR_S < other <= at for other in left) <= per_hour


def test_the_delay_doubles_up_to_five_minutes_and_ends_after_a_day() -> None:
    delays = [rules.after_failure(tries, NOW, NOW, refused=False).retry_at for tries in range(1, 15)]

    assert delays[:4] == [NOW + 1, NOW + 2, NOW + 4, NOW + 8]
    assert delays[-1] == NOW + 300
    assert rules.after_failure(400, NOW, NOW + 86_401, refused=False).retry_at is None


def test_what_is_refused_has_few_tries() -> None:
    found = [rules.after_failure(tries, NOW, NOW, refused=True).retry_at for tries in range(1, 7)]

    assert [retry_at is None for retry_at in found] == [False] * 4 + [True] * 2


@pytest.mark.parametrize(
    ("kind", "outlives"), [("missed", True), ("failed", True), ("parked", False), ("seat_lost", True), ("new", False)]
)
def test_what_may_hold_though_no_new_daemon_says_so(kind: str, outlives: bool) -> None:
    assert rules.outlived(kind) is outlives

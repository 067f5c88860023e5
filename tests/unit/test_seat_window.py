"""Since when a seat was seen unchanged, and when it may be taken."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workerd.ledger.seats.window import Seen, Windows
from workerd.wire.lease import LOOK_GAP, renewal_interval

PLACE = (7, 0)
F = 30.0
R = renewal_interval(F)
HELD = Seen("a", 10, 4, F)


def looked(*looks: tuple[float, Seen], server: str = "s") -> Windows:
    windows = Windows()
    for at, seen in looks:
        windows.look(server, at - 0.5, at, {PLACE: seen})
    return windows


def each_interval(until: float, seen: Seen = HELD) -> list[tuple[float, Seen]]:
    return [(at * R, seen) for at in range(int(until / R) + 1)]


def test_a_free_seat_may_be_taken_at_once() -> None:
    assert looked((0.0, HELD._replace(life=None))).may_take(PLACE, 0.0)


def test_a_seat_that_no_look_has_shown_may_not_be_taken() -> None:
    assert not Windows().may_take(PLACE, 1000.0)


@pytest.mark.parametrize(("now", "may"), [(F - 0.001, False), (F, True)])
def test_a_held_seat_may_be_taken_after_the_holders_own_time(now: float, may: bool) -> None:
    assert looked(*each_interval(now)).may_take(PLACE, now) == may


def test_a_window_counts_from_the_end_of_the_first_look() -> None:
    windows = Windows()
    for began in range(0, 31, 5):
        windows.look("s", began, began + 4.0, {PLACE: HELD})

    assert (windows.may_take(PLACE, 33.9), windows.may_take(PLACE, 34.0)) == (False, True)


@pytest.mark.parametrize("change", [{"beat": 5}, {"token": 11}, {"life": "b"}, {"takeover_s": 60.0}])
def test_any_change_begins_the_window_anew(change: dict[str, object]) -> None:
    windows = looked(*each_interval(F), (F + R, HELD._replace(**change)))  # type: ignore[arg-type]

    assert not windows.may_take(PLACE, F + R)


def test_another_server_begins_every_window_anew() -> None:
    windows = looked(*each_interval(F))
    windows.look("t", F, F, {PLACE: HELD})

    assert not windows.may_take(PLACE, F)


def test_looks_too_far_apart_begin_the_window_anew() -> None:
    gap = LOOK_GAP * R

    assert looked((0.0, HELD), (gap - 0.5, HELD), (F, HELD)).may_take(PLACE, F) is False
    assert looked((0.0, HELD), (gap - 0.5, HELD), (2 * gap - 1.0, HELD), (F, HELD)).may_take(PLACE, F)


def test_a_claim_too_long_after_the_newest_look_waits_for_another() -> None:
    assert not looked(*each_interval(F)).may_take(PLACE, F + LOOK_GAP * R)


def test_a_seat_that_a_look_did_not_show_begins_anew() -> None:
    windows = looked(*each_interval(F))
    windows.look("s", F + 1, F + 1, {})
    windows.look("s", F + 2, F + 2, {PLACE: HELD})

    assert not windows.may_take(PLACE, F + 2)


def test_a_claim_compares_what_the_newest_look_showed() -> None:
    windows = looked((0.0, HELD), (R, HELD._replace(beat=5)))

    assert (windows.seen(PLACE), windows.seen((8, 0))) == (HELD._replace(beat=5), None)


def test_a_silent_seat_is_ripe_after_its_holders_time_and_then_no_more() -> None:
    windows = looked((0.0, HELD), (R, HELD))
    ripe = windows.ripe_at(R)

    assert F < ripe < F + 0.01
    assert looked(*each_interval(ripe)).may_take(PLACE, ripe)
    assert windows.ripe_at(ripe) == float("inf")
    assert looked((0.0, HELD._replace(life=None))).ripe_at(0.0) == float("inf")


LOOKS = st.lists(
    st.tuples(st.floats(0.0, 20.0), st.floats(0.0, 3.0), st.sampled_from("st"), st.integers(1, 2)), min_size=1
)


@given(LOOKS, st.floats(0.0, 10.0))
def test_what_may_be_taken_was_seen_the_same_at_one_server_for_its_whole_time(
    steps: list[tuple[float, float, str, int]], later: float
) -> None:
    """The rule is told again, over the whole history, and slowly."""
    windows, history, now = Windows(), [], 0.0
    for pause, took, server, beat in steps:
        began, now = now + pause, now + pause + took
        windows.look(server, began, now, {PLACE: HELD._replace(beat=beat)})
        history.append((began, now, server, beat))
    now += later
    if windows.may_take(PLACE, now):
        same: list[tuple[float, float]] = []
        following = now
        for began, ended, server, beat in reversed(history):
            if (server, beat) != history[-1][2:] or following - began > LOOK_GAP * R:
                break
            same.append((began, ended))
            following = ended
        assert now - same[-1][1] >= F


@given(st.lists(st.floats(0.1, R), min_size=60))
def test_a_silent_holder_always_loses_its_seat_in_the_end(pauses: list[float]) -> None:
    windows, now = Windows(), 0.0
    for pause in pauses:
        now += pause
        windows.look("s", now, now, {PLACE: HELD})

    assert windows.may_take(PLACE, now) == (now - pauses[0] >= F)

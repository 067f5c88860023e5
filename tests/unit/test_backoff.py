"""The delay before the next try."""

from hypothesis import given
from hypothesis import strategies as st

from workerd.wire.backoff import Backoff, delay_after

SECONDS = st.floats(min_value=0.001, max_value=3650 * 86400.0)


def test_a_delay_doubles_up_to_its_cap() -> None:
    backoff = Backoff(0.5, 3.0)

    assert [backoff.next() for _ in range(5)] == [0.5, 1.0, 2.0, 3.0, 3.0]


def test_a_success_forgets_the_tries() -> None:
    backoff = Backoff(0.5, 3.0)
    backoff.next()
    backoff.next()

    backoff.reset()

    assert backoff.next() == 0.5


def test_after_a_healthy_life_the_first_try_may_be_at_once() -> None:
    backoff = Backoff(0.5, 3.0)
    backoff.next()

    backoff.reset(at_once=True)

    assert [backoff.next() for _ in range(3)] == [0.0, 0.5, 1.0]


def test_a_first_delay_above_the_cap_is_the_cap() -> None:
    assert Backoff(60.0, 5.0).next() == 5.0


@given(SECONDS, SECONDS, st.integers(min_value=0, max_value=10**6))
def test_no_delay_is_above_the_cap_and_none_shrinks(initial: float, cap: float, doublings: int) -> None:
    delay = delay_after(doublings, initial, cap)

    assert 0 < delay <= delay_after(doublings + 1, initial, cap) <= cap

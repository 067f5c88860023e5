"""The measure of a busy machine by which the fleet's limits may be longer."""

import time

from tests.harness.lateness import FINE_S, Lateness


def measured(*late: tuple[float, float]) -> Lateness:
    lateness = Lateness()
    for at, seconds in late:
        lateness.note(at, seconds)
    return lateness


def test_what_was_overslept_between_two_moments_counts() -> None:
    lateness = measured((1.0, 0.5), (2.0, 0.3), (4.0, 1.0))

    assert lateness.since(1.5, 3.5) == 0.3 + 1.0  # the last sleep should have ended at 3
    assert lateness.since(1.5, 2.5) == 0.3


def test_a_sleep_that_ends_in_time_counts_for_nothing() -> None:
    assert measured((1.0, FINE_S / 2)).since(0.0, 2.0) == 0.0


def test_a_machine_that_does_nothing_else_is_hardly_late() -> None:
    lateness, began = Lateness(), time.monotonic()
    lateness.begin()
    lateness.end()

    assert lateness.since(began) <= time.monotonic() - began

"""When the ledger reads the job rows: by the interval, and after a push for a part of the time alone."""

import pytest

from workerd.ledger.poll_times import SHARE, PollTimes


def test_rows_are_read_at_the_interval_and_at_once_after_a_push() -> None:
    times = PollTimes(5.0)
    first = times.due
    times.read(10.0, 10.001)
    by_interval = times.due
    times.push(12.0)

    assert (first, by_interval, times.due) == (0.0, 15.0, 12.0)


def test_a_push_does_not_put_off_what_is_due() -> None:
    times = PollTimes(5.0)
    times.read(10.0, 12.0)
    times.push(17.0)

    assert times.due == 15.0


@pytest.mark.parametrize("took", [0.001, 0.15, 1.0])
def test_a_stream_of_pushes_leaves_the_ledger_most_of_its_time(took: float) -> None:
    """Ten thousand rows take 0.15 s: each edit was such a reading."""
    times, now, reading = PollTimes(1000.0), 0.0, 0.0
    for _ in range(10_000):
        now += 0.01
        times.push(now)
        if now >= times.due:
            times.read(now, now + took)
            reading += took
            now += took

    assert reading <= now / SHARE + 2 * took

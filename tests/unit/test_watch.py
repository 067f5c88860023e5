"""A watch knows a worker that is stuck, also one in a fork."""

import math
import os

import pytest

from workerd.contrib import watch
from workerd.contrib.watch import Watch


class Clock:
    """The monotonic clock of the module, which a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(watch, "time", clock)
    return clock


def test_a_worker_without_a_task_has_to_take_turns(clock: Clock) -> None:
    watched = Watch(turn_within_s=30.0)

    clock.now += 30.0
    assert not watched.is_stuck()
    clock.now += 0.1
    assert watched.is_stuck()
    watched.turn()
    assert not watched.is_stuck()


def test_a_task_has_a_limit_of_its_own_and_no_turns(clock: Clock) -> None:
    watched = Watch(turn_within_s=30.0, task_within_s=100.0)
    watched.take()

    clock.now += 100.0
    assert not watched.is_stuck()
    clock.now += 0.1
    assert watched.is_stuck()


def test_after_a_long_task_the_turns_count_from_its_end(clock: Clock) -> None:
    watched = Watch(turn_within_s=30.0)
    watched.take()

    clock.now += 10_000.0
    watched.turn()

    assert not watched.is_stuck()


def test_without_limits_nothing_is_stuck(clock: Clock) -> None:
    watched = Watch()
    clock.now += 1e9
    assert not watched.is_stuck()
    watched.take()
    clock.now += 1e9
    assert not watched.is_stuck()


def test_the_notes_of_a_fork_are_seen_here() -> None:
    watched = Watch(turn_within_s=-1.0, task_within_s=math.inf)
    assert watched.is_stuck()

    if (pid := os.fork()) == 0:
        watched.take()
        os._exit(0)
    os.waitpid(pid, 0)

    assert not watched.is_stuck()

"""The timer on the real-time clock: the kernel's own, and what stands in where there is none."""

import os
import time
from collections.abc import Iterator

import pytest

from tests.harness.fakes import FakeClock, loop_of, turn, turn_until
from workerd.daemon.io import clock_timer
from workerd.daemon.io.loop import Loop
from workerd.daemon.io.wall_timer import LOOK_S, WallTimer


class Ringing:
    """A timer, and the wall times at which it has called."""

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self.at: list[float] = []
        self.timer = WallTimer(loop, lambda: self.at.append(self.loop.clock.wall()))


@pytest.fixture
def ringing() -> Iterator[Ringing]:
    ringing = Ringing(loop_of())
    assert ringing.timer._timer.descriptor is not None, "Linux has it"
    yield ringing
    os.close(ringing.timer._timer.descriptor)


def test_it_calls_at_its_moment_once(ringing: Ringing) -> None:
    moment = time.time() + 0.05
    ringing.timer.arm(moment)
    turn_until(ringing.loop, lambda: ringing.at)

    assert 0.0 <= ringing.at[0] - moment < 10.0
    for _ in range(5):
        turn(ringing.loop)
    assert len(ringing.at) == 1


@pytest.mark.parametrize("moment", [0.0, -5.0, 0.5, 1.0, 1_000_000_000.25])
def test_it_calls_at_once_for_a_moment_that_has_passed(ringing: Ringing, moment: float) -> None:
    ringing.timer.arm(moment)
    turn_until(ringing.loop, lambda: ringing.at)

    assert len(ringing.at) == 1


def test_the_last_moment_that_it_is_given_counts(ringing: Ringing) -> None:
    ringing.timer.arm(time.time() + 3600)
    ringing.timer.arm(time.time() + 0.02)
    turn_until(ringing.loop, lambda: ringing.at)
    ringing.timer.arm(1.0)
    ringing.timer.arm(time.time() + 3600)
    turn(ringing.loop)

    assert len(ringing.at) == 1


def test_it_can_be_disarmed_and_armed_again(ringing: Ringing) -> None:
    ringing.timer.arm(1.0)
    ringing.timer.arm(None)
    turn(ringing.loop)
    assert ringing.at == []
    ringing.timer.arm(1.0)
    turn_until(ringing.loop, lambda: ringing.at)


def test_no_program_that_is_executed_inherits_it(ringing: Ringing) -> None:
    assert ringing.timer._timer.descriptor is not None
    assert not os.get_inheritable(ringing.timer._timer.descriptor)


# without the kernel's


@pytest.fixture
def looking(monkeypatch: pytest.MonkeyPatch) -> Ringing:
    monkeypatch.setattr(clock_timer, "_create", lambda *_: None)
    return Ringing(loop_of(FakeClock()))


def pass_time(ringing: Ringing, seconds: float, wall: float | None = None) -> None:
    clock = ringing.loop.clock
    assert isinstance(clock, FakeClock)
    clock.now += seconds
    clock.wall_now += seconds if wall is None else wall
    turn(ringing.loop)


def test_without_it_the_moment_is_waited_for(looking: Ringing) -> None:
    looking.timer.arm(looking.loop.clock.wall() + 20)
    pass_time(looking, 19.9)
    assert looking.at == []
    pass_time(looking, 0.1)

    assert len(looking.at) == 1


def test_without_it_the_clock_is_looked_at_now_and_then(looking: Ringing) -> None:
    """Whoever is called looks at the clock, which may have been set."""
    looking.timer.arm(looking.loop.clock.wall() + 86_400)
    pass_time(looking, LOOK_S, wall=86_400)

    assert len(looking.at) == 1


def test_without_it_a_disarmed_timer_is_quiet(looking: Ringing) -> None:
    looking.timer.arm(looking.loop.clock.wall() + 5)
    looking.timer.arm(None)
    pass_time(looking, 100)

    assert looking.at == []

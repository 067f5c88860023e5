"""The timer on the boot-time clock: the kernel's own, and what stands in where there is none."""

import os
from collections.abc import Iterator

import pytest

from tests.harness.fakes import FakeClock, loop_of, turn, turn_until
from workerd.daemon.io import clock_timer
from workerd.daemon.io.boot_timer import BootTimer
from workerd.daemon.io.loop import Loop
from workerd.wire.lease import boot_time


class Ringing:
    """A timer, and the boot-time seconds at which it has called."""

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self.at: list[float] = []
        self.timer = BootTimer(loop, lambda: self.at.append(self.loop.clock.boot()))


@pytest.fixture
def ringing() -> Iterator[Ringing]:
    ringing = Ringing(loop_of())
    assert ringing.timer._timer.descriptor is not None, "Linux has it"
    yield ringing
    os.close(ringing.timer._timer.descriptor)


def test_it_calls_at_its_moment_once(ringing: Ringing) -> None:
    moment = boot_time() + 0.05
    ringing.timer.arm(moment)
    turn_until(ringing.loop, lambda: ringing.at)

    assert 0.0 <= ringing.at[0] - moment < 10.0
    for _ in range(5):
        turn(ringing.loop)
    assert len(ringing.at) == 1


@pytest.mark.parametrize("moment", [0.0, -5.0, 0.5])
def test_it_calls_at_once_for_a_moment_that_has_passed(ringing: Ringing, moment: float) -> None:
    ringing.timer.arm(moment)
    turn_until(ringing.loop, lambda: ringing.at)

    assert len(ringing.at) == 1


def test_it_can_be_disarmed_and_armed_again(ringing: Ringing) -> None:
    ringing.timer.arm(1.0)
    ringing.timer.arm(None)
    turn(ringing.loop)
    assert ringing.at == []
    ringing.timer.arm(1.0)
    turn_until(ringing.loop, lambda: ringing.at)


# without the kernel's


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    monkeypatch.setattr(clock_timer, "_create", lambda *_: None)
    return FakeClock()


@pytest.fixture
def waiting(clock: FakeClock) -> Ringing:
    return Ringing(loop_of(clock))


def pass_time(waiting: Ringing, clock: FakeClock, seconds: float) -> None:
    clock.advance(seconds)
    turn(waiting.loop)


def test_without_it_the_moment_is_waited_for(waiting: Ringing, clock: FakeClock) -> None:
    moment = clock.boot() + 20
    waiting.timer.arm(moment)
    pass_time(waiting, clock, 19.9)
    assert waiting.at == []
    pass_time(waiting, clock, 0.1)

    assert waiting.at == [moment]


def test_without_it_a_moment_that_has_passed_is_called_for_at_once(waiting: Ringing, clock: FakeClock) -> None:
    waiting.timer.arm(clock.boot() - 5)
    turn(waiting.loop)

    assert waiting.at == [clock.boot()]


def test_without_it_the_last_moment_that_it_is_given_counts(waiting: Ringing, clock: FakeClock) -> None:
    waiting.timer.arm(clock.boot() + 5)
    waiting.timer.arm(clock.boot() + 50)
    pass_time(waiting, clock, 10)
    assert waiting.at == []
    pass_time(waiting, clock, 40)

    assert len(waiting.at) == 1


def test_without_it_a_disarmed_timer_is_quiet_until_it_is_armed_again(waiting: Ringing, clock: FakeClock) -> None:
    waiting.timer.arm(clock.boot() + 5)
    waiting.timer.arm(None)
    pass_time(waiting, clock, 100)
    assert waiting.at == []
    waiting.timer.arm(clock.boot() + 5)
    pass_time(waiting, clock, 5)

    assert len(waiting.at) == 1

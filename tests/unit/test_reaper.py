"""Reaping, with real processes: every exit status right, nobody hidden, nobody left."""

import os
import signal
from collections.abc import Iterator

import pytest

from tests.harness.fakes import FakeClock, loop_of, turn
from workerd.daemon.processes.reaper import OpenBirths, Reaper
from workerd.daemon.rules.outcome import ExitStatus


class Household:
    """Who is ours, and what was told of whom."""

    def __init__(self) -> None:
        self.ours: set[int] = set()
        self.births: OpenBirths | None = None
        self.clock = FakeClock()
        self.loop = loop_of(self.clock)
        self._reaper = Reaper(self.loop, self, self._tell)
        self.told: dict[int, ExitStatus] = {}
        self.left: set[int] = set()

    def owned_pids(self) -> set[int]:
        return self.ours

    def owns(self, pid: int) -> bool:
        return pid in self.ours

    def open_births(self) -> OpenBirths | None:
        return self.births

    def end_group(self, pid: int) -> None:
        """Nothing is left in anybody's group here."""

    def reap(self) -> None:
        self._reaper.reap()

    def end_turn(self) -> None:
        self._reaper.look_again()

    def _tell(self, pid: int, end: ExitStatus) -> None:
        self.ours.discard(pid)
        self.told[pid] = end._replace(peak_rss=0.0)  # what the kernel measured varies

    def born(self, code: int = 0, *, ours: bool = True, killed_by: int | None = None) -> int:
        """Fork a process that has ended by the time this returns; it is a zombie then."""
        pid = os.fork()
        if pid == 0:
            if killed_by is not None:
                os.kill(os.getpid(), killed_by)
            os._exit(code)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        self.left.add(pid)
        if ours:
            self.ours.add(pid)
        return pid


@pytest.fixture
def household() -> Iterator[Household]:
    household = Household()
    yield household
    for pid in household.left:
        if is_zombie(pid):
            os.waitpid(pid, 0)


def is_zombie(pid: int) -> bool:
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return False


def test_with_no_children_there_is_nothing_to_do(household: Household) -> None:
    household.reap()

    assert household.told == {}


def test_every_status_is_told_to_its_owner(household: Household) -> None:
    good, bad = household.born(0), household.born(78)
    killed = household.born(killed_by=signal.SIGKILL)
    household.reap()

    assert household.told == {good: ExitStatus(code=0), bad: ExitStatus(code=78), killed: ExitStatus(signal=9)}


def test_a_hundred_at_once_are_all_told(household: Household) -> None:
    pids = [household.born(number) for number in range(100)]
    household.reap()

    assert household.told == {pid: ExitStatus(code=number) for number, pid in enumerate(pids)}


def test_one_that_lives_is_not_waited_for(household: Household) -> None:
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(writing)
        os.read(reading, 1)
        os._exit(0)
    household.ours.add(pid)
    household.reap()
    told = dict(household.told)
    os.close(writing)
    os.close(reading)
    os.waitpid(pid, 0)

    assert told == {}


def test_a_stranger_is_reaped_and_told_to_nobody(household: Household) -> None:
    stranger = household.born(3, ours=False)

    household.reap()

    assert (household.told, is_zombie(stranger)) == ({}, False)


def test_while_a_birth_is_open_a_stranger_is_left_for_it_may_be_the_newborn(household: Household) -> None:
    household.births = OpenBirths(1, 1)
    stranger = household.born(3, ours=False)
    household.reap()

    assert is_zombie(stranger)


def test_a_stranger_at_the_head_hides_nobody_behind_it(household: Household) -> None:
    household.births = OpenBirths(1, 1)
    household.born(3, ours=False)
    ours = [household.born(number) for number in range(5)]

    household.reap()

    assert household.told == {pid: ExitStatus(code=number) for number, pid in enumerate(ours)}


def test_a_newborn_that_ended_before_its_pid_was_known_is_told_once_it_is(household: Household) -> None:
    household.births = OpenBirths(1, 1)
    newborn = household.born(7, ours=False)
    household.reap()
    household.births = None
    household.ours.add(newborn)
    household.end_turn()

    assert household.told == {newborn: ExitStatus(code=7)}


def test_a_stranger_left_behind_goes_when_the_birth_is_over(household: Household) -> None:
    household.births = OpenBirths(1, 1)
    stranger = household.born(3, ours=False)
    household.reap()
    household.births = None
    household.end_turn()

    assert not is_zombie(stranger)


def test_strangers_go_although_a_birth_is_always_open(household: Household) -> None:
    """Those that were there before a birth was asked for are not its child."""
    household.births = OpenBirths(1, 2)
    strangers = [household.born(number, ours=False) for number in range(5)]
    household.reap()
    left = [is_zombie(stranger) for stranger in strangers]
    household.births = OpenBirths(2, 3)
    household.end_turn()
    still_left = [is_zombie(stranger) for stranger in strangers]
    household.births = OpenBirths(3, 3)
    household.end_turn()

    assert all(left)
    assert all(still_left)
    assert not any(is_zombie(stranger) for stranger in strangers)


@pytest.mark.parametrize("hidden", [False, True])
def test_a_flood_of_ends_leaves_the_turn_its_time(
    household: Household, monkeypatch: pytest.MonkeyPatch, *, hidden: bool
) -> None:
    """What there is no time for is reaped in the next turns, which come without a further signal.

    A stranger at the head of the queue, which may be a newborn, hides the daemon's own.
    """
    if hidden:
        household.births = OpenBirths(1, 2)
        household.born(ours=False)
    ended = [household.born(number, ours=hidden) for number in range(20)]
    wait, reaped = os.wait4, 0

    def slow(pid: int, options: int) -> object:
        nonlocal reaped
        reaped += 1
        household.clock.advance(0.005)
        return wait(pid, options)

    monkeypatch.setattr("workerd.daemon.processes.reaper.os.wait4", slow)
    household.reap()
    in_one_turn = reaped
    while any(is_zombie(pid) for pid in ended):
        before = reaped
        turn(household.loop)
        assert reaped > before, "a turn has reaped nobody"

    assert 0 < in_one_turn < 10  # children that other tests have left may be the first


def test_the_look_behind_a_stranger_comes_to_the_last_of_many(
    household: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long it takes to look at those that live: each turn begins with the first of them."""
    household.births = OpenBirths(1, 1)
    household.born(ours=False)
    ended = household.born(7)
    living = range(2**22 + 1, 2**22 + 21)  # above every pid
    monkeypatch.setattr(household, "owned_pids", lambda: [*living, ended])
    look = os.waitid

    def slow(*what: int) -> object:
        household.clock.advance(0.005)
        return look(*what)

    monkeypatch.setattr("workerd.daemon.processes.reaper.os.waitid", slow)
    household.reap()
    for _ in range(5):
        turn(household.loop)

    assert household.told == {ended: ExitStatus(code=7)}

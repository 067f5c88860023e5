"""What a run has left: real processes, found by the run's mark in their environment, ended with it and no other."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.leftovers import DEAF, IDENTITY, OTHER_RUN, RUN, LeftoverSetup, ended_by
from workerd.daemon.processes import endings as endings_module
from workerd.daemon.processes import leftovers as leftovers_module
from workerd.daemon.processes.endings import GRACE_S, KILL_PATIENCE_S, POLL_S, SLOW_POLL_S
from workerd.daemon.processes.leftovers import BUSY_S, Leftovers
from workerd.daemon.processes.proc import run_of
from workerd.daemon.processes.reaper import OpenBirths

NOBODY = 2**22 + 7


class Setup(LeftoverSetup):
    """The leftovers of this daemon's runs."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.leftovers = Leftovers(self.loop, self.log, self.tree, self.runs)

    def end_run(self, run: str = RUN, pid: int = NOBODY) -> None:
        """The run has ended: look once."""
        self.runs.living.discard(run)
        self.leftovers.end_run(run, pid, IDENTITY if run == RUN else {"job": "mail", "run": run})
        self.pass_time(0)


@pytest.fixture
def setup(tmp_path: Path) -> Iterator[Setup]:
    setup = Setup(tmp_path)
    yield setup
    setup.close()


def test_what_a_run_left_is_ended_with_it_and_named(setup: Setup) -> None:
    stranger, own = setup.start(), setup.start()
    setup.runs.own.add(own.pid)
    setup.end_run()

    assert ended_by(stranger) == signal.SIGTERM
    assert own.poll() is None
    assert setup.lines.of("leftover.ended") == [{**IDENTITY, "leftover_pid": stranger.pid, "name": "sleep"}]


def test_what_a_living_run_has_put_into_the_background_is_let_be(setup: Setup) -> None:
    """An ``ssh -f``, an agent, a display: it was ended at the end of any other job's child."""
    helper = setup.start(run=OTHER_RUN)
    setup.runs.living = {RUN, OTHER_RUN}
    setup.end_run(RUN)
    alive = helper.poll() is None
    setup.end_run(OTHER_RUN)

    assert alive
    assert ended_by(helper) == signal.SIGTERM


def test_what_a_run_left_that_ends_while_it_looks_is_ended_too(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has looked at the process already, and let it be, as its run lived."""
    monkeypatch.setattr(leftovers_module, "SHARE_S", -1.0)  # one process a turn
    helper, stranger = setup.start(run=OTHER_RUN), setup.start(marks={})
    setup.runs.living = {RUN, OTHER_RUN}
    setup.end_run(RUN)
    alive = helper.poll() is None
    setup.end_run(OTHER_RUN)
    for _ in range(4):
        setup.pass_time(POLL_S)

    assert alive
    assert ended_by(helper) == signal.SIGTERM
    assert stranger.poll() is None


def test_what_does_not_end_is_killed(setup: Setup) -> None:
    stranger = setup.start(sys.executable, "-c", DEAF)
    setup.end_run()
    setup.pass_time(GRACE_S - 0.1)
    alive = stranger.poll() is None
    setup.pass_time(0.1 + POLL_S)

    assert alive
    assert ended_by(stranger) == signal.SIGKILL


def test_what_cannot_be_ended_is_said_once_and_looked_at_seldom(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endings_module, "send", lambda _pid, _number: "Operation not permitted")
    stranger = setup.start()
    setup.end_run()
    for _ in range(30):
        setup.pass_time(0.5)

    fields = {"leftover_pid": stranger.pid, "name": "sleep", "reason": "Operation not permitted"}
    assert setup.lines.of("leftover.stuck") == [{**IDENTITY, **fields}]
    assert [left.pid for left in setup.leftovers.stuck()] == [stranger.pid]
    assert setup.loop._patience() == SLOW_POLL_S or (setup.loop._patience() or 0) > POLL_S


def test_who_is_killed_with_the_group_is_named(setup: Setup) -> None:
    """What the kernel has killed already shows no mark any more: its group alone tells whose it was."""
    member = setup.start()
    member.kill()
    os.waitid(os.P_PID, member.pid, os.WEXITED | os.WNOWAIT)
    found: list[tuple[str, str]] = []
    setup.leftovers.on_found.add(lambda run, name: found.append((run, name)))
    setup.end_run(OTHER_RUN, pid=member.pid)

    assert setup.lines.of("leftover.ended") == [
        {"job": "mail", "run": OTHER_RUN, "leftover_pid": member.pid, "name": "sleep"}
    ]
    assert found == [(OTHER_RUN, "sleep")]


def test_nothing_is_ended_that_may_be_a_newborn(setup: Setup) -> None:
    """It carries its forkserver's mark before its pid is known; a later birth is no reason to wait."""
    newborn = setup.start(run="forkserver-1")
    setup.runs.births = OpenBirths(1, 2)
    setup.leftovers.end_run("forkserver-1", NOBODY, {})
    setup.pass_time(0)
    setup.runs.births = OpenBirths(2, 5)
    setup.pass_time(POLL_S)
    alive = newborn.poll() is None
    setup.runs.births = OpenBirths(3, 6)
    setup.pass_time(POLL_S)

    assert alive
    assert ended_by(newborn) == signal.SIGTERM


def test_what_a_job_left_is_ended_although_births_are_always_open(setup: Setup) -> None:
    stranger = setup.start()
    setup.runs.births = OpenBirths(1, 2)
    setup.end_run()

    assert ended_by(stranger) == signal.SIGTERM


def test_a_process_without_the_marks_is_let_be(setup: Setup) -> None:
    process = setup.start(marks={})
    setup.end_run()
    setup.pass_time(GRACE_S)

    assert process.poll() is None


def test_what_does_not_show_its_marks_is_said_and_ended_with_the_last_run(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    stranger = setup.start()

    def refuse(pid: int, tree: str) -> str | None:
        if pid == stranger.pid:
            raise PermissionError(13, "Permission denied")
        return run_of(pid, tree)

    monkeypatch.setattr(leftovers_module, "run_of", refuse)
    setup.runs.living = {RUN, OTHER_RUN}
    for _ in range(3):
        setup.end_run()
    alive = stranger.poll() is None
    setup.end_run(OTHER_RUN)

    [said] = setup.lines.of("leftover.unreadable")
    assert (said["leftover_pid"], said["name"]) == (stranger.pid, "sleep")
    assert alive
    assert ended_by(stranger) == signal.SIGTERM


def test_one_that_cannot_be_looked_at_hides_no_other(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = setup.start(), setup.start()
    errors: list[Exception] = []
    monkeypatch.setattr(setup.loop, "_guard", errors.append)

    def fail(pid: int, tree: str) -> str | None:
        if pid == first.pid:
            raise RuntimeError("fake")
        return run_of(pid, tree)

    monkeypatch.setattr(leftovers_module, "run_of", fail)
    setup.end_run()

    assert ended_by(second) == signal.SIGTERM
    assert errors


def test_it_looks_until_none_is_left_and_then_no_more(setup: Setup) -> None:
    stranger = setup.start()
    setup.end_run()
    busy = setup.leftovers.busy
    ended_by(stranger)
    setup.pass_time(POLL_S)
    setup.pass_time(POLL_S)

    assert (busy, setup.leftovers.busy) == (True, False)
    assert setup.loop._patience() is None


def test_the_daemons_end_waits_only_so_long_for_what_does_not_end(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endings_module, "send", lambda _pid, _number: "Operation not permitted")
    setup.start()
    setup.end_run()
    setup.pass_time(BUSY_S - 0.1)
    early = setup.leftovers.busy
    setup.pass_time(0.1)

    assert (early, setup.leftovers.busy) == (True, False)
    assert BUSY_S == GRACE_S + KILL_PATIENCE_S
    assert os.getpid() != 1

"""Processes that nobody supervises: real ones, found by the tree's mark in their environment, and ended in time."""

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.fakes import FakeClock, loop_of, recording_log, turn
from tests.harness.waiting import eventually
from workerd.daemon.processes.forkserver import TREE_VARIABLE
from workerd.daemon.processes.leftovers import BUSY_S, GRACE_S, POLL_S, Leftovers, find_marked, find_running_daemon
from workerd.daemon.processes.reaper import OpenBirths
from workerd.wire.config import DAEMON_VARIABLE

DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); signal.pause()"
HOLDS_A_LOCK = (
    "import fcntl, signal, sys; file = open(sys.argv[1], 'w'); fcntl.lockf(file, fcntl.LOCK_EX); "
    "print('locked', flush=True); signal.pause()"
)


class Registry:
    """The daemon's children: which pids are its own, and whether one may come whose pid is not known yet."""

    def __init__(self) -> None:
        self.own: set[int] = set()
        self.births = False

    def owns(self, pid: int) -> bool:
        return pid in self.own

    def open_births(self) -> OpenBirths | None:
        return OpenBirths(1, 1) if self.births else None


class Setup:
    """Leftovers of a tree of the test's own; time passes when the test says so."""

    def __init__(self) -> None:
        self.tree = f"/run/shop {uuid.uuid4()}"
        self.clock = FakeClock()
        self.loop = loop_of(self.clock)
        log, self.lines = recording_log()
        self.registry = Registry()
        self.leftovers = Leftovers(self.loop, log, self.tree, self.registry)  # type: ignore[arg-type]
        self.processes: list[subprocess.Popen[Any]] = []

    def start(self, *command: str, variable: str = TREE_VARIABLE, marked: bool = True) -> "subprocess.Popen[Any]":
        """Start a process with the tree's mark, or without it; return when it has executed its program."""
        env = dict(os.environ) | ({variable: self.tree} if marked else {})
        words = command or ("sleep", "60")
        speaks = words[0] == sys.executable
        process = subprocess.Popen(words, env=env, stdout=subprocess.PIPE if speaks else None, start_new_session=True)
        self.processes.append(process)
        if process.stdout is not None:
            process.stdout.readline()
        elif marked:
            eventually(lambda: find_marked(self.tree, [process.pid], variable), what="its environment")
        return process

    def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)
        turn(self.loop)

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()


@pytest.fixture
def setup() -> Iterator[Setup]:
    setup = Setup()
    yield setup
    setup.close()


def ended_by(process: "subprocess.Popen[Any]") -> int:
    """Return the signal that has ended a process."""
    return -process.wait(10)


def test_without_leftovers_the_start_goes_on_at_once(setup: Setup) -> None:
    done: list[bool] = []
    setup.leftovers.end_leftovers(lambda: done.append(True))

    assert done
    assert setup.lines.events == []


def test_what_an_earlier_daemon_left_is_asked_to_end_and_waited_for(setup: Setup) -> None:
    process = setup.start()
    done: list[bool] = []
    setup.leftovers.end_leftovers(lambda: done.append(True))
    ended = ended_by(process)
    setup.pass_time(POLL_S)

    assert (ended, done) == (signal.SIGTERM, [True])
    assert setup.lines.of("leftovers.ended") == [{"pids": [process.pid]}]


def test_what_does_not_end_in_time_is_killed(setup: Setup) -> None:
    process = setup.start(sys.executable, "-c", DEAF)
    done: list[bool] = []
    setup.leftovers.end_leftovers(lambda: done.append(True))
    setup.pass_time(GRACE_S - 0.1)
    alive = process.poll() is None
    setup.pass_time(0.1)
    ended = ended_by(process)
    setup.pass_time(POLL_S)

    assert (alive, ended, done) == (True, signal.SIGKILL, [True])


def test_a_process_without_the_mark_is_let_be(setup: Setup) -> None:
    process = setup.start(marked=False)
    setup.leftovers.end_leftovers(lambda: None)
    setup.pass_time(GRACE_S)

    assert process.poll() is None


def test_what_a_child_left_behind_is_ended_and_the_daemons_own_children_are_not(setup: Setup) -> None:
    stranger, own = setup.start(), setup.start()
    setup.registry.own.add(own.pid)
    setup.leftovers.end_adopted()
    setup.pass_time(0)

    assert ended_by(stranger) == signal.SIGTERM
    assert own.poll() is None


def test_an_adopted_process_that_does_not_end_is_killed(setup: Setup) -> None:
    stranger = setup.start(sys.executable, "-c", DEAF)
    setup.leftovers.end_adopted()
    setup.pass_time(0)
    setup.pass_time(GRACE_S)
    alive = stranger.poll() is None
    setup.pass_time(POLL_S)

    assert alive
    assert ended_by(stranger) == signal.SIGKILL


def test_nobody_is_ended_while_a_birth_is_under_way(setup: Setup) -> None:
    """A newborn carries the mark before its pid is known."""
    newborn = setup.start()
    setup.registry.births = True
    setup.leftovers.end_adopted()
    setup.pass_time(0)
    setup.pass_time(POLL_S)
    alive = newborn.poll() is None
    setup.registry.births = False
    setup.pass_time(POLL_S)

    assert alive
    assert ended_by(newborn) == signal.SIGTERM


def test_it_looks_until_none_is_left_and_then_no_more(setup: Setup) -> None:
    stranger = setup.start()
    setup.leftovers.end_adopted()
    setup.pass_time(0)
    busy = setup.leftovers.busy
    ended_by(stranger)
    setup.pass_time(POLL_S)

    assert (busy, setup.leftovers.busy) == (True, False)


def test_the_daemons_end_waits_only_so_long_for_what_does_not_end(setup: Setup) -> None:
    setup.registry.births = True
    setup.leftovers.end_adopted()
    setup.pass_time(BUSY_S - 0.1)
    early = setup.leftovers.busy
    setup.pass_time(0.1)

    assert (early, setup.leftovers.busy) == (True, False)


def test_a_daemon_is_found_by_its_mark_and_the_lock_that_it_holds(setup: Setup, tmp_path: Path) -> None:
    setup.start(variable=DAEMON_VARIABLE)  # it only tries to become the daemon
    before = find_running_daemon(setup.tree)
    daemon = setup.start(sys.executable, "-c", HOLDS_A_LOCK, str(tmp_path / "lock"), variable=DAEMON_VARIABLE)

    assert (before, find_running_daemon(setup.tree)) == (None, daemon.pid)

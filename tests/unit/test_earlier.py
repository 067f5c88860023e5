"""What an earlier daemon has left: found by marks or by the roster, ended, or said and waited for by its slot alone."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.leftovers import DEAF, OTHER_RUN, RUN, LeftoverSetup, ended_by
from workerd.daemon.processes import endings as endings_module
from workerd.daemon.processes.earlier import EarlierProcesses
from workerd.daemon.processes.endings import GRACE_S, KILL_PATIENCE_S, POLL_S, SLOW_POLL_S
from workerd.daemon.processes.proc import find_running_daemon
from workerd.daemon.processes.roster import KEPT_LINES, Roster
from workerd.wire.config import DAEMON_VARIABLE

NOBODY_USER = 65534
HOLDS_A_LOCK = (
    "import fcntl, signal, sys; file = open(sys.argv[1], 'w'); fcntl.lockf(file, fcntl.LOCK_EX); "
    "print('locked', flush=True); signal.pause()"
)
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may change its user")


class Setup(LeftoverSetup):
    """An earlier daemon's roster, and what this one finds."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.roster = Roster(folder, "shop")
        self.earlier = EarlierProcesses(self.loop, self.log, self.tree, Roster(folder, "shop"))
        self.began: list[bool] = []

    def end(self) -> None:
        self.earlier.end(lambda: self.began.append(True))

    def add_ended(self, run: str, job: str, index: int) -> None:
        """Have the roster tell of a run whose process is gone."""
        process = self.start(marks={})
        self.roster.add(process.pid, run, job, index)
        process.kill()
        process.wait()

    def give_up(self) -> None:
        """Let the time pass that each of them has."""
        self.pass_time(GRACE_S)
        self.pass_time(KILL_PATIENCE_S)


@pytest.fixture
def setup(tmp_path: Path) -> Iterator[Setup]:
    setup = Setup(tmp_path)
    yield setup
    setup.close()


@pytest.fixture
def immortal(monkeypatch: pytest.MonkeyPatch) -> None:
    """No signal arrives."""
    monkeypatch.setattr(endings_module, "send", lambda _pid, _number: "")
    monkeypatch.setattr(endings_module, "describe_hold", lambda _pid: "state D")


def test_without_leftovers_the_start_goes_on_at_once(setup: Setup) -> None:
    setup.end()

    assert setup.began
    assert setup.lines.events == []


def test_it_is_asked_to_end_and_waited_for(setup: Setup) -> None:
    process = setup.start()
    setup.end()
    ended = ended_by(process)
    setup.pass_time(POLL_S)

    assert (ended, setup.began) == (signal.SIGTERM, [True])
    assert setup.lines.of("leftovers.ended") == [{"pids": [process.pid]}]
    assert setup.lines.of("leftover.ended") == [{"leftover_pid": process.pid, "name": "sleep"}]


def test_what_does_not_end_in_time_is_killed(setup: Setup) -> None:
    process = setup.start(sys.executable, "-c", DEAF)
    setup.end()
    setup.pass_time(GRACE_S - 0.1)
    alive, began, delay = process.poll() is None, list(setup.began), setup.earlier.delay()
    setup.pass_time(0.1)
    ended = ended_by(process)
    setup.pass_time(POLL_S)

    assert (alive, began, ended, setup.began) == (True, [], signal.SIGKILL, [True])
    assert delay.startswith(f"waiting for pid {process.pid} of the previous daemon to end")
    assert setup.earlier.delay() == ""


def test_a_process_without_the_marks_is_let_be(setup: Setup) -> None:
    process = setup.start(marks={})
    setup.end()

    assert setup.began
    assert process.poll() is None


def test_a_child_that_shows_no_marks_is_found_by_the_roster(setup: Setup) -> None:
    """It has changed its user, and this daemon may not look into it."""
    process = setup.start(marks={})
    setup.roster.add(process.pid, RUN, "feed", 1)
    setup.end()

    assert ended_by(process) == signal.SIGTERM
    [ended] = setup.lines.of("leftover.ended")
    assert (ended["job"], ended["leftover_pid"]) == ("feed", process.pid)


@pytest.mark.usefixtures("immortal")
def test_what_cannot_be_ended_is_said_and_only_its_slot_waits(setup: Setup) -> None:
    process, helper = setup.start(run=RUN), setup.start(run=OTHER_RUN)
    setup.roster.add(process.pid, RUN, "feed", 1)
    setup.add_ended(OTHER_RUN, "mail", 0)  # the helper's run
    setup.end()
    setup.give_up()

    assert setup.began == [True]
    assert {left.pid for left in setup.earlier.stuck()} == {process.pid, helper.pid}
    assert setup.earlier.obstacle("feed", 1) == f"waiting for pid {process.pid} of the previous daemon to end: state D"
    assert f"pid {helper.pid} " in setup.earlier.obstacle("mail", 0)
    assert [setup.earlier.obstacle("feed", 0), setup.earlier.obstacle("news", 0)] == ["", ""]
    assert setup.loop._patience() == pytest.approx(SLOW_POLL_S)
    stuck = {event["leftover_pid"]: event for event in setup.lines.of("leftover.stuck")}
    assert (stuck[process.pid]["job"], stuck[process.pid]["reason"]) == ("feed", "state D")


@pytest.mark.usefixtures("immortal")
def test_its_slot_goes_on_when_it_has_ended_after_all(setup: Setup) -> None:
    gone: list[bool] = []
    process = setup.start()
    setup.roster.add(process.pid, RUN, "feed", 1)
    setup.earlier.on_gone.add(lambda: gone.append(True))
    setup.end()
    setup.give_up()
    process.kill()
    process.wait()
    setup.pass_time(SLOW_POLL_S)

    assert gone == [True]
    assert setup.earlier.obstacle("feed", 1) == ""
    assert setup.loop._patience() is None


@pytest.mark.usefixtures("immortal")
def test_one_whose_run_is_not_known_may_do_the_work_of_any_job(setup: Setup) -> None:
    process = setup.start(run="")
    setup.end()
    setup.give_up()

    assert f"pid {process.pid} " in setup.earlier.obstacle("feed", 0)


@pytest.mark.usefixtures("immortal")
@pytest.mark.parametrize("forged", ["a run of the roster", "no run"])
@needs_root
def test_what_another_user_says_of_its_process_keeps_no_slot(setup: Setup, forged: str) -> None:
    """Anybody may start a process with any environment."""
    setup.add_ended(RUN, "feed", 1)
    setup.start(run=RUN if forged == "a run of the roster" else "", user=NOBODY_USER)
    setup.end()
    setup.give_up()

    assert setup.began == [True]
    assert setup.earlier.obstacle("feed", 1) == ""


@pytest.mark.usefixtures("immortal")
def test_a_stuck_forkserver_keeps_no_slot(setup: Setup) -> None:
    setup.start(run="forkserver-1")
    setup.end()
    setup.give_up()

    assert setup.began == [True]
    assert setup.earlier.obstacle("feed", 1) == ""


def test_a_pid_that_is_another_process_now_is_let_be(setup: Setup) -> None:
    process = setup.start(marks={})
    setup.roster.add(process.pid, RUN, "feed", 1)
    path = setup.folder / "shop.processes"
    boot, line = path.read_text().splitlines()
    pid, started, rest = line.split(" ", 2)
    path.write_text(f"{boot}\n{pid} {int(started) - 1} {rest}\n")
    setup.end()

    assert setup.began
    assert process.poll() is None


def test_a_roster_of_another_boot_or_a_broken_one_is_no_roster(setup: Setup) -> None:
    path = setup.folder / "shop.processes"
    setup.roster.add(os.getpid(), RUN, "feed", 1)
    known = Roster(setup.folder, "shop").read()
    path.write_text(path.read_text() + "nonsense\n")
    with_nonsense = Roster(setup.folder, "shop").read()
    path.write_bytes(b"another boot\n1 2 3 4 5\n")
    of_another_boot = Roster(setup.folder, "shop").read()
    path.write_bytes(b"\xff\xfe\n")

    assert (len(known), with_nonsense, of_another_boot) == (1, known, [])
    assert Roster(setup.folder, "shop").read() == []


def test_a_roster_stays_small(setup: Setup) -> None:
    for number in range(2 * KEPT_LINES + 10):
        setup.roster.add(os.getpid(), f"run-{number}", "feed", 1)

    lines = (setup.folder / "shop.processes").read_text().splitlines()
    assert len(lines) <= KEPT_LINES + 3
    assert setup.roster.read()[-1].run == f"run-{2 * KEPT_LINES + 9}"


def test_a_roster_that_cannot_be_written_costs_no_start(tmp_path: Path) -> None:
    roster = Roster(tmp_path / "nowhere", "shop")
    roster.add(os.getpid(), RUN, "feed", 1)

    assert roster.read() == []


def test_a_daemon_is_found_by_its_mark_and_the_lock_that_it_holds(setup: Setup, tmp_path: Path) -> None:
    mark = {DAEMON_VARIABLE: setup.tree}
    setup.start(marks=mark)  # it only tries to become the daemon
    before = find_running_daemon(setup.tree)
    daemon = setup.start(sys.executable, "-c", HOLDS_A_LOCK, str(tmp_path / "lock"), marks=mark)

    assert (before, find_running_daemon(setup.tree)) == (None, daemon.pid)


@needs_root
def test_another_users_process_is_no_daemon_whatever_mark_and_lock_it_has(setup: Setup) -> None:
    """Or any local user keeps root's daemon from its start."""
    locked = Path("/tmp") / f"workerd-test-{os.getpid()}"
    locked.touch(0o666)
    locked.chmod(0o666)
    program = f"import os; os.setuid({NOBODY_USER}); {HOLDS_A_LOCK}"
    setup.start(sys.executable, "-c", program, str(locked), marks={DAEMON_VARIABLE: setup.tree})
    locked.unlink()

    assert find_running_daemon(setup.tree) is None

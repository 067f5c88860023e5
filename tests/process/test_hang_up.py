"""SIGHUP: of a person or a service manager it is a reload; of a terminal that has gone it is the end of a “run”."""

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.harness.backends.server import ending_with_us
from tests.harness.daemon import Daemon
from tests.harness.project import Project
from tests.harness.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.backends("any")]
AT_TERMINAL = "import os, sys; os.login_tty(os.dup(0)); os.execvp(sys.argv[1], sys.argv[1:])"


class AtTerminal:
    """A daemon that a person has started at a terminal; ``log`` is a file, or the terminal itself."""

    def __init__(self, project: Project, *before: str, log: Path | None) -> None:
        self.path = log
        self.terminal, theirs = pty.openpty()
        shell = f'exec "$@" > {log} 2>&1' if log else 'exec "$@"'
        words = [*before, "sh", "-c", shell, "sh", *project.command, "workerd", "run"]
        self.process = subprocess.Popen(
            ending_with_us([sys.executable, "-c", AT_TERMINAL, *words]),
            stdin=theirs,
            env=project.env,
            cwd=project.folder,
        )
        os.close(theirs)

    def hang_up(self) -> None:
        """Close the terminal's window."""
        os.close(self.terminal)


def answers(daemon: Daemon) -> bool:
    try:
        return bool(daemon.ask({"verb": "ping"})["ok"])
    except OSError:
        return False


@contextmanager
def started(project: Project, daemon: Daemon, *before: str, log: bool = True) -> Iterator[AtTerminal]:
    """Yield such a daemon when its job runs; nothing of it may be left at the end."""
    project.add_job("idle")
    run = AtTerminal(project, *before, log=project.folder / "log" if log else None)
    try:
        eventually(lambda: answers(daemon), 30, "the control socket")
        daemon.wait_state("idle", "RUNNING", within=30)
        yield run
    finally:
        run.process.kill()
        run.process.wait()


@pytest.mark.parametrize("log", [True, False], ids=["log in a file", "log at the terminal"])
def test_a_terminal_that_goes_away_stops_the_daemon_gracefully(project: Project, daemon: Daemon, log: bool) -> None:
    with started(project, daemon, log=log) as run:
        run.hang_up()
        assert run.process.wait(60) == 0
    if run.path is not None:
        assert '"event":"daemon.stopping"' in run.path.read_text()
        assert "its terminal has gone" in run.path.read_text()
    assert [end.outcome for end in project.runs.all()] == ["stopped"]


def test_a_daemon_that_is_to_outlive_its_terminal_does(project: Project, daemon: Daemon) -> None:
    with started(project, daemon, "nohup") as run:
        run.hang_up()
        run.process.send_signal(signal.SIGHUP)
        eventually(lambda: daemon.picture()["daemon"]["generation"] == 2, 30, "the reload")
        run.process.send_signal(signal.SIGTERM)
        assert run.process.wait(60) == 0


def test_a_hang_up_by_hand_is_a_reload_at_a_terminal_too(project: Project, daemon: Daemon) -> None:
    with started(project, daemon) as run:
        run.process.send_signal(signal.SIGHUP)
        eventually(lambda: daemon.picture()["daemon"]["generation"] == 2, 30, "the reload")
        assert not daemon.picture()["daemon"]["stopping"]
        run.process.send_signal(signal.SIGTERM)
        assert run.process.wait(60) == 0
        run.hang_up()

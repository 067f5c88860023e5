"""Signals that come before the daemon can take them: they wait, and do not end it."""

import signal

import pytest

from tests.harness.daemon import READY_WITHIN_S, Daemon
from tests.harness.processes import Process
from tests.harness.project import Project
from tests.harness.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.backends("any")]


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGUSR2])
def test_a_signal_from_the_exec_on_does_not_end_the_daemon(project: Project, daemon: Daemon, number: int) -> None:
    """By its default it would, until there is a handler: between the two ``manage.py`` has it blocked."""
    project.add_job("idle")
    for _ in range(3):
        daemon.start(ready=False)
        eventually(lambda: _is_daemon(daemon.pid), READY_WITHIN_S, "the exec")

        eventually(lambda: _has_started(daemon, number), READY_WITHIN_S, "daemon.started")

        assert daemon.is_running, f"the daemon ended with {daemon.wait()}"
        daemon.wait_event("daemon.ready", within=READY_WITHIN_S)
        daemon.wait_state("idle", "RUNNING")
        daemon.stop()


def _is_daemon(pid: int) -> bool:
    process = Process.look(pid)
    return process is not None and " -m workerd.daemon " in process.command_line()


def _has_started(daemon: Daemon, number: int) -> bool:
    """Whether it is there, or will never be; one more signal if not."""
    if daemon.events("daemon.started") or not daemon.is_running:
        return True
    daemon.signal(number)
    return False

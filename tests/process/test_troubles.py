"""One child's trouble is its own: what may not be signalled, and what has left its group, holds up nobody else."""

import os
import signal
import sys

import pytest

from tests.harness.daemon import Daemon, read_pid
from tests.harness.processes import Process
from tests.harness.project import MANAGE, Project
from tests.harness.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.backends("any")]
JOBS = "tests.process.faults.jobs"
WITHOUT_RIGHTS = ["setpriv", "--bounding-set=-kill,-sys_ptrace", "--inh-caps=-kill,-sys_ptrace"]
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may change its user")


@pytest.fixture
def daemon_without_rights(project: Project, daemon: Daemon) -> Daemon:
    """A daemon that may neither signal another user's processes nor look into them, as in a container with few rights.

    A daemon that is not root has none of these rights either.
    """
    project.extra_env["DJANGO_SETTINGS_MODULE"] = "tests.process.faults.settings"
    project.command = [*WITHOUT_RIGHTS, sys.executable, str(MANAGE)]
    return daemon


def assert_restarts(daemon: Daemon, name: str) -> None:
    """Assert that a killed child has a successor."""
    pid = daemon.wait_state(name, "RUNNING")["pid"]
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: daemon.slot(name)["pid"] not in {None, pid}, 5, "a successor")


@needs_root
def test_a_child_of_another_user_that_ends_is_reaped_like_any(project: Project, daemon_without_rights: Daemon) -> None:
    daemon, path = daemon_without_rights, project.folder / "pid"
    kwargs = {"path": str(path)}
    project.add_job("foreign", target=f"{JOBS}.change_user", kwargs=kwargs, restart="never")
    project.add_job("beside", target="tests.process.bad_jobs.jobs.idle", backoff_initial=0)
    daemon.start()
    os.kill(read_pid(path), signal.SIGKILL)

    daemon.wait_event("child.exited", job="foreign")

    assert_restarts(daemon, "beside")
    assert daemon.faults() == []
    daemon.stop()


@needs_root
def test_a_child_that_may_not_be_signalled_holds_up_neither_an_order_nor_the_daemon_s_end(
    project: Project, daemon_without_rights: Daemon
) -> None:
    daemon, path = daemon_without_rights, project.folder / "pid"
    kwargs = {"path": str(path)}
    project.add_job("foreign", target=f"{JOBS}.change_user", kwargs=kwargs, stop_timeout=0.5)
    project.add_job("beside", target="tests.process.bad_jobs.jobs.idle", backoff_initial=0)
    daemon.start()
    pid = read_pid(path)

    done = project.manage("workerd", "stop", "beside")
    assert done.returncode == 0, done.stderr
    daemon.signal(signal.SIGTERM)
    unkillable = daemon.wait_event("child.unkillable", job="foreign", within=20)
    code = daemon.wait(20)

    assert unkillable["reason"] == "still there 5 s after SIGKILL: it could not be sent: Operation not permitted"
    refused = daemon.events("child.not_signalled")
    assert {"SIGTERM", "SIGKILL"} <= {event["signal"] for event in refused if event["pid"] == pid}
    assert code == 0
    assert daemon.faults() == []
    os.kill(pid, signal.SIGKILL)


def test_a_child_that_has_left_its_group_is_killed_all_the_same(project: Project, daemon: Daemon) -> None:
    project.extra_env["DJANGO_SETTINGS_MODULE"] = "tests.process.faults.settings"
    path = project.folder / "pid"
    project.add_job("escaped", target=f"{JOBS}.leave_its_group", kwargs={"path": str(path)}, stop_timeout=0.5)
    daemon.start()
    pid = read_pid(path)

    done = project.manage("workerd", "stop", "escaped")

    assert done.returncode == 0, done.stdout + done.stderr
    process = Process.look(pid)
    assert process is None or process.is_zombie

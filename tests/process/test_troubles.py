"""One child's trouble is its own: what may not be signalled, and what has left its group, holds up nobody else."""

import os
import signal
import sys
from pathlib import Path

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
    eventually(lambda: daemon.slot(name)["pid"] not in {None, pid}, 30, "a successor")


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
    unkillable = daemon.wait_event("child.unkillable", job="foreign", within=30)
    code = daemon.wait(60)

    assert unkillable["reason"] == "it could not be sent: Operation not permitted"
    refused = daemon.events("child.not_signalled")
    assert {"SIGTERM", "SIGKILL"} <= {event["signal"] for event in refused if event["pid"] == pid}
    assert code == 0
    assert daemon.faults() == []
    os.kill(pid, signal.SIGKILL)


@needs_root
def test_a_child_of_another_user_that_outlives_its_daemon_is_found_by_the_next(
    project: Project, daemon_without_rights: Daemon
) -> None:
    """A change of user clears what has the kernel kill it with the daemon; the next one may not read its marks."""
    daemon, path = daemon_without_rights, project.folder / "pid"
    project.command = ["setpriv", "--bounding-set=-sys_ptrace", sys.executable, str(MANAGE)]
    project.add_job("foreign", target=f"{JOBS}.change_user", kwargs={"path": str(path)})
    daemon.start()
    pid = read_pid(path)
    daemon.kill()
    assert _lives(pid)
    path.unlink()

    daemon.start()

    ended = daemon.wait_event("leftover.ended", job="foreign")
    born = daemon.wait_event("child.born", job="foreign")
    assert ended["leftover_pid"] == pid
    assert daemon.events().index(ended) < daemon.events().index(born)
    assert not _lives(pid)


@needs_root
def test_what_a_former_daemon_left_and_this_one_may_not_end_keeps_its_own_slot_waiting_and_no_other(
    project: Project, daemon_without_rights: Daemon
) -> None:
    daemon, path = daemon_without_rights, project.folder / "pid"
    project.add_job("foreign", target=f"{JOBS}.change_user", kwargs={"path": str(path)})
    project.add_job("beside", target="tests.process.bad_jobs.jobs.idle", backoff_initial=0)
    daemon.start()
    pid = read_pid(path)
    daemon.kill()
    path.unlink()

    daemon.start()
    try:
        daemon.wait_state("beside", "RUNNING")
        reason = f"waiting for pid {pid} of the previous daemon to end: Operation not permitted"
        eventually(lambda: daemon.slot("foreign")["reason"] == reason, what="the reason")
        waiting = daemon.slot("foreign")
        assert (waiting["state"], waiting["pid"]) == ("STARTING", None)
        shown = project.manage("workerd", "status").stdout
        assert f"left over: pid {pid} " in shown
        assert "of foreign cannot be ended: Operation not permitted" in shown
    finally:
        os.kill(pid, signal.SIGKILL)
    daemon.wait_state("foreign", "RUNNING")
    successor = read_pid(path)  # from then on it is another user's
    project.jobs.all().delete()
    daemon.wait_event("child.not_signalled", job="foreign")
    os.kill(successor, signal.SIGKILL)


@pytest.mark.parametrize("how", ["executed", "forked"])
def test_what_a_job_has_in_the_background_outlives_the_ends_of_others_and_not_its_own(
    project: Project, daemon: Daemon, how: str
) -> None:
    """Executed or only forked: both carry the run's mark."""
    project.extra_env["DJANGO_SETTINGS_MODULE"] = "tests.process.faults.settings"
    path = project.folder / "pid"
    kwargs = {"path": str(path), "execute": how == "executed"}
    owner = project.add_job("owner", target=f"{JOBS}.put_into_the_background", kwargs=kwargs, restart="never")
    project.add_job("beside", target="tests.process.bad_jobs.jobs.idle", backoff_initial=0)
    daemon.start()
    helper = read_pid(path)
    for _ in range(2):
        assert_restarts(daemon, "beside")
    assert _lives(helper)
    assert daemon.events("leftover.ended") == []

    run = daemon.slot("owner")["run"]
    os.kill(daemon.slot("owner")["pid"], signal.SIGKILL)

    ended = daemon.wait_event("leftover.ended")
    assert (ended["leftover_pid"], ended["job"], ended["run"]) == (helper, owner.name, run)
    eventually(lambda: not _lives(helper), 30, "its end")
    assert len(daemon.events("leftover.ended")) == 1


def _lives(pid: int) -> bool:
    process = Process.look(pid)
    return process is not None and not process.is_zombie


def test_where_memory_runs_out_the_kernel_takes_a_job_before_the_daemon(project: Project, daemon: Daemon) -> None:
    project.add_job("idle")
    daemon.start()

    def adjustment(pid: int) -> int:
        return int(Path(f"/proc/{pid}/oom_score_adj").read_text())

    own = adjustment(daemon.pid)
    picture = daemon.picture()
    ledger = next(slot["pid"] for slot in picture["slots"] if slot["builtin"])
    job = daemon.wait_state("idle", "RUNNING")["pid"]
    assert [adjustment(pid) for pid in (picture["daemon"]["forkserver_pid"], ledger)] == [own, own]
    assert adjustment(job) == min(1000, own + 100)


def test_a_row_that_asks_for_more_processes_than_are_allowed_gets_those(project: Project, daemon: Daemon) -> None:
    project.settings["MAX_PROCESSES"] = 2
    project.add_job("idle", processes=4)
    daemon.start()
    for index in range(2):
        daemon.wait_state(f"idle:{index}", "RUNNING")
    reason = "waiting for a place: 2 processes of jobs run, as many as MAX_PROCESSES allows"
    assert [daemon.slot(f"idle:{index}")["reason"] for index in (2, 3)] == [reason] * 2
    assert len(daemon.events("child.born", job="idle")) == 2

    done = project.manage("workerd", "stop", "idle:0")

    assert done.returncode == 0, done.stderr
    daemon.wait_state("idle:2", "RUNNING")
    assert daemon.slot("idle:3")["reason"] == reason
    daemon.stop()


def test_a_child_that_has_left_its_group_is_killed_all_the_same(project: Project, daemon: Daemon) -> None:
    project.extra_env["DJANGO_SETTINGS_MODULE"] = "tests.process.faults.settings"
    path = project.folder / "pid"
    project.add_job("escaped", target=f"{JOBS}.leave_its_group", kwargs={"path": str(path)}, stop_timeout=0.5)
    daemon.start()
    pid = read_pid(path)

    done = project.manage("workerd", "stop", "escaped")

    assert done.returncode == 0, done.stdout + done.stderr
    assert not _lives(pid)

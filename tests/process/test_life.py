"""The thinnest path through the real processes: a row, a child, its end and its successor, the daemon's end."""

import os
import signal

import pytest

from tests.harness.backends.backend import Backend
from tests.harness.daemon import Daemon
from tests.harness.processes import Process
from tests.harness.project import Project
from tests.harness.waiting import eventually

TRY_LATER = 75


def test_a_row_becomes_a_child_and_ends_with_the_daemon(project: Project, daemon: Daemon) -> None:
    project.add_job("count")

    daemon.start()
    pid = daemon.child_pid("count")

    eventually(lambda: project.marks.filter(job="count", pid=pid).exists(), what="a mark of the child")
    daemon.stop()
    assert [run.outcome for run in project.runs.filter(job_name="count")] == ["stopped"]
    assert daemon.log.foreign_lines == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ["count", "count-async", "count-in-a-thread"])
def test_every_session_that_a_child_opened_is_closed_at_its_end_and_the_log_says_so(
    project: Project, daemon: Daemon, backend: Backend, name: str
) -> None:
    """Also those of the thread in which Django queries for asynchronous code, and of threads of the job's own."""
    project.add_job(name)
    daemon.start()
    pid = daemon.child_pid(name)
    eventually(lambda: project.marks.filter(job=name, pid=pid).exists(), what="a mark of the child")

    daemon.stop()

    opened, closed = (daemon.events(f"connection.{what}", pid=pid) for what in ("opened", "closed"))
    # Before a thread's first save on MySQL, Django 6.1 opens and closes a session, to ask what server that is.
    by_django = [event for event in closed if event["reason"] == "explicit"]
    assert len(by_django) <= (backend.vendor == "mysql")
    assert {event["reason"] for event in closed if event not in by_django} == {"exit"}
    assert [event["session"] for event in closed] == [event["session"] for event in opened]
    assert opened


def test_a_killed_child_has_a_successor_at_once(project: Project, daemon: Daemon) -> None:
    project.add_job("idle")
    daemon.start()
    first = daemon.wait_state("idle", "RUNNING")

    os.kill(first["pid"], signal.SIGKILL)
    daemon.wait_event("child.exited", slot="idle", pid=first["pid"], outcome="crashed", signal="SIGKILL")

    second = daemon.wait_state("idle", "RUNNING")
    assert second["pid"] != first["pid"]


def test_a_row_made_while_the_daemon_runs_is_started_and_a_disabled_one_stopped(
    project: Project, daemon: Daemon
) -> None:
    daemon.start()
    project.add_job("idle")
    pid = daemon.child_pid("idle")

    project.edit_job("idle", enabled=False)

    daemon.wait_event("child.exited", slot="idle", pid=pid, outcome="stopped")
    daemon.wait_state("idle", "STOPPED")


@pytest.mark.slow
def test_nothing_of_a_killed_daemon_is_left(project: Project, daemon: Daemon) -> None:
    project.add_job("idle", processes=3)
    project.add_job("ignore-stop")
    daemon.start()
    assert len(daemon.children()) >= len(("forkserver", "ledger", 0, 1, 2, "ignore-stop"))

    daemon.kill()

    daemon.assert_clean_exit()


def test_a_second_daemon_of_the_name_is_told_who_is_there(project: Project, daemon: Daemon) -> None:
    daemon.start()

    done = project.manage("workerd", "run")

    assert done.returncode == TRY_LATER
    assert "another daemon named 'tests' already runs" in done.stdout + done.stderr
    assert f"pid {daemon.pid}" in done.stdout + done.stderr
    assert Process.look(daemon.pid) is not None

"""The daemon's own end, by kill -9: its children go with it, what they left goes before the next daemon bears any."""

import fcntl
import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connections

from tests.harness.daemon import Daemon, read_pid
from tests.harness.processes import Process
from tests.harness.project import ALIAS, Project
from tests.harness.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.backends("any")]
TRY_LATER = 75
JOBS = "tests.process.faults.jobs"
SETTINGS = {"DJANGO_SETTINGS_MODULE": "tests.process.faults.settings"}


def test_grandchildren_of_a_killed_daemon_are_ended_before_the_next_one_bears_a_child(
    project: Project, daemon: Daemon
) -> None:
    """One of them is deaf to TERM."""
    project.extra_env |= SETTINGS
    tame, deaf = project.folder / "tame", project.folder / "deaf"
    project.add_job("tame", target=f"{JOBS}.keep_a_child", kwargs={"path": str(tame)})
    project.add_job("deaf", target=f"{JOBS}.keep_a_deaf_child", kwargs={"path": str(deaf)})
    daemon.start()
    left = [read_pid(tame), read_pid(deaf)]
    children = [child.pid for child in daemon.children()]
    daemon.kill()
    eventually(lambda: not any(_lives(pid) for pid in children), within=30, what="the end of the children")
    assert all(_lives(pid) for pid in left), "outside of a cgroup nobody could end these"

    project.jobs.all().delete()
    project.add_job("after", target="tests.process.bad_jobs.jobs.idle")
    daemon.start()

    first = daemon.events("child.born")[0]
    assert not any(_lives(pid) for pid in left)
    ended = daemon.events("leftovers.ended")[0]
    assert daemon.events().index(ended) < daemon.events().index(first)
    assert set(left) <= set(ended["pids"])


@pytest.mark.parametrize("way", ["removed", "another one by its link"])
def test_a_daemon_whose_state_dir_was_taken_away_is_not_taken_for_gone(
    project: Project, daemon: Daemon, way: str
) -> None:
    """Else the next one would end its children, or find none where all were killed, and both would run every job."""
    releases = [project.folder / name for name in ("one", "two")]
    for release in releases:
        release.mkdir()
    project.state_dir.symlink_to(releases[0])
    project.add_job("idle")
    daemon.start()
    pid = daemon.wait_state("idle", "RUNNING")["pid"]
    os.kill(daemon.pid, signal.SIGSTOP)  # it shall not come back before the other one looks
    for child in daemon.children() if way != "removed" else ():
        os.kill(child.pid, signal.SIGKILL)
    project.state_dir.unlink()
    if way != "removed":
        project.state_dir.symlink_to(releases[1])

    done = project.manage("workerd", "run")

    assert done.returncode == TRY_LATER
    assert f"another daemon named 'tests' already runs (pid {daemon.pid}), though its files are gone" in done.stderr
    assert way != "removed" or _lives(pid)
    os.kill(daemon.pid, signal.SIGCONT)
    daemon.stop()


def test_a_daemon_whose_state_dir_was_taken_away_makes_it_anew(project: Project, daemon: Daemon) -> None:
    """As what cleans temporary folders does: whoever looks for the daemon finds it again, nothing is restarted."""
    project.add_job("idle")
    daemon.start()
    pid = daemon.wait_state("idle", "RUNNING")["pid"]
    epoch = (project.state_dir / "tests.epoch").read_text()
    key = json.loads((project.state_dir / "tests.node").read_text())["key"]
    shutil.rmtree(project.state_dir)

    restored = daemon.wait_event("state_dir.restored", within=30)

    assert restored["level"] == "info"
    assert restored["state_dir"] == str(project.state_dir)
    assert restored["reason"] == "the lock and the socket went away"
    assert daemon.slot("idle")["pid"] == pid
    assert f"already runs (pid {daemon.pid}): it holds" in project.manage("workerd", "run").stderr
    eventually((project.state_dir / "tests.journal").exists, 30, "the journal")
    assert (project.state_dir / "tests.epoch").read_text() == epoch
    assert json.loads((project.state_dir / "tests.node").read_text())["key"] == key
    daemon.stop()
    assert project.runs.get().outcome == "stopped"


def test_a_daemon_whose_place_another_one_has_ends_with_75(project: Project, daemon: Daemon) -> None:
    """One that cannot see it, from another container for one: of two that run every job the younger is found by all."""
    project.add_job("idle")
    daemon.start()
    daemon.wait_state("idle", "RUNNING")
    shutil.rmtree(project.state_dir)
    project.state_dir.mkdir(mode=0o700)
    with (project.state_dir / "tests.lock").open("w") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)

        assert daemon.wait(within=30) == TRY_LATER

    reason = daemon.events("daemon.stopping")[0]["reason"]
    assert "another daemon has taken this one's place in STATE_DIR" in reason
    assert "another daemon named 'tests' already runs" in reason
    assert project.runs.get().outcome == "stopped"


def test_runs_that_never_got_an_end_are_lost_at_the_last_pulse(project: Project, daemon: Daemon) -> None:
    project.add_job("idle", processes=3)
    project.add_job("done", "finish", restart="never")
    daemon.start()
    done = daemon.wait_event("child.exited", job="done")["run"]
    runs = {event["run"] for event in daemon.wait_events("child.ready", 3, job="idle")}
    eventually(lambda: project.runs.exclude(ready=None).count() >= 3, what="the runs in the table")
    eventually(lambda: project.runs.filter(pk=done).exclude(ended=None).exists(), what="the end of the other")
    daemon.kill()
    daemon.tree.assert_gone()  # the ledger, too, so that it writes no pulse any more
    last_pulse = project.nodes.get().pulse
    assert last_pulse is not None
    project.jobs.all().delete()

    daemon.start()

    lost = project.runs.filter(outcome="lost")
    eventually(lambda: {str(pk) for pk in lost.values_list("pk", flat=True)} == runs, 30, "the lost runs")
    assert {run.ended for run in lost} == {max(run.born or last_pulse, last_pulse) for run in lost}
    assert project.runs.get(pk=done).outcome == "finished"


def test_a_journal_left_by_a_killed_daemon_is_drained_and_its_runs_are_not_lost(
    project: Project, daemon: Daemon
) -> None:
    """Their ends were told while the table was away: they are in the journal, and are what counts."""
    project.add_job("killed", "idle", backoff_initial=0)
    daemon.start()
    first = daemon.wait_state("killed", "RUNNING")
    eventually(lambda: project.runs.filter(pk=first["run"]).exclude(ready=None).exists(), what="the run in the table")
    with hidden(project):
        os.kill(first["pid"], signal.SIGKILL)
        daemon.wait_event("child.exited", pid=first["pid"])
        daemon.wait_event("ledger.lost")
        eventually(lambda: daemon.picture()["daemon"]["unjournaled"] == 0, what="everything in the journal")
        daemon.kill()
    project.jobs.all().delete()

    daemon.start()

    ended = project.runs.exclude(ended=None).values_list("pk", "outcome")
    eventually(lambda: len(ended.all()) == 2, 30, "the ends of both")
    outcomes = {str(pk): outcome for pk, outcome in ended.all()}
    assert outcomes.pop(first["run"]) == "crashed"
    assert list(outcomes.values()) == ["lost"]


def test_a_forkserver_that_hangs_in_an_import_stops_no_job_and_no_restart(project: Project, daemon: Daemon) -> None:
    project.extra_env |= SETTINGS
    hint = project.folder / "hang"
    project.extra_env["WORKERD_TEST_IMPORT_HANGS"] = str(hint)
    project.settings["PRELOAD"] = ["tests.process.faults.unreliable_module"]
    project.add_job("idle", target="tests.process.bad_jobs.jobs.idle", backoff_initial=0)
    daemon.start()
    first = daemon.wait_state("idle", "RUNNING")
    hint.touch()
    daemon.signal(signal.SIGHUP)
    daemon.wait_event("forkserver.started", generation=2)

    os.kill(first["pid"], signal.SIGKILL)

    born = daemon.wait_event("child.born", job="idle", pid=lambda pid: pid != first["pid"])
    assert born["generation"] == 1
    time.sleep(0.5)  # nothing must happen: there is nothing to wait for
    assert daemon.events("forkserver.exited") == []


def test_a_forkserver_that_crashes_leaves_children_alone_and_restarts_wait_for_the_next(
    project: Project, daemon: Daemon
) -> None:
    project.extra_env |= SETTINGS
    hint = project.folder / "crash"
    project.extra_env["WORKERD_TEST_IMPORT_CRASHES"] = str(hint)
    project.settings["PRELOAD"] = ["tests.process.faults.unreliable_module"]
    project.add_job("idle", target="tests.process.bad_jobs.jobs.idle", processes=2, backoff_initial=0)
    daemon.start()
    first, second = (daemon.wait_state(f"idle:{index}", "RUNNING") for index in range(2))
    hint.touch()
    os.kill(daemon.picture()["daemon"]["forkserver_pid"], signal.SIGKILL)
    rejected = daemon.wait_events("forkserver.rejected", 2, within=60)
    assert "SIGSEGV" in rejected[0]["reason"]

    os.kill(first["pid"], signal.SIGKILL)
    delays = [event["retry_s"] for event in daemon.wait_events("forkserver.exited", 3, within=60)]
    assert delays == sorted(delays)
    assert _lives(second["pid"])
    hint.unlink()

    eventually(lambda: daemon.slot("idle:0")["pid"] not in (first["pid"], None), 30, "a successor")
    assert daemon.slot("idle:1")["pid"] == second["pid"]


@contextmanager
def hidden(project: Project) -> Iterator[None]:
    """Take the table of runs away."""
    with connections[ALIAS].cursor() as cursor:
        cursor.execute("ALTER TABLE workerd_run RENAME TO hidden_run")
        yield
        cursor.execute("ALTER TABLE hidden_run RENAME TO workerd_run")


def _lives(pid: int) -> bool:
    process = Process.look(pid)
    return process is not None and not process.is_zombie

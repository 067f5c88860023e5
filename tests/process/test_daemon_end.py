"""The daemon's end: nothing of it is left after a kill, and every child is asked before a stop."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from django.db.models import F

from tests.harness.backends.backend import Databases
from tests.harness.chaos import wait_for_calm
from tests.harness.daemon import Daemon
from tests.harness.modules import write_module
from tests.harness.outages import Link
from tests.harness.project import MANAGE, Project
from tests.harness.waiting import eventually

from .births import WAYS

pytestmark = [pytest.mark.slow, pytest.mark.backends("sqlite", "postgres-psycopg2", "mysql-pymysql")]
PROBES = "tests.process.probes.jobs"
STUBBORN = ("idle", "hang", "spin", "freeze", "ignore-stop", "have-thread", "idle-async")
GONE_WITHIN_S = 10.0
"""The kernel ends them at once; a busy machine takes its time for it."""
DEEP = "a-folder-in-a-folder"


def test_nothing_of_the_tree_outlives_a_killed_daemon(project: Project, daemon: Daemon) -> None:
    """Children that sleep, spin, are stopped or ignore every signal go with the daemon, as do forkserver and ledger."""
    for name in STUBBORN:
        project.add_job(name, start_grace=0)
    daemon.start()
    wait_for_calm(daemon, len(STUBBORN))
    daemon.tree.look(daemon.pid)

    daemon.kill()

    daemon.tree.assert_gone(GONE_WITHIN_S)
    daemon.assert_clean_exit()


@pytest.mark.backends("any")
@pytest.mark.parametrize("way", WAYS)
def test_nothing_is_left_of_a_daemon_killed_while_it_has_children_born(
    project: Project, daemon: Daemon, way: str
) -> None:
    """Whatever a birth is in the middle of, it comes to nothing without the daemon."""
    project.add_job("idle", processes=10)
    project.settings["PRELOAD"] = WAYS[way]
    for _ in range(5):
        daemon.start(ready=False)
        daemon.wait_event("child.born", within=30, job="idle")

        daemon.kill()

        daemon.tree.assert_gone(GONE_WITHIN_S)


@pytest.mark.backends("any")
def test_a_forkserver_that_hangs_in_an_import_goes_with_the_daemon(project: Project, daemon: Daemon) -> None:
    """It reads no end-of-file there, so the kernel has to end it."""
    write_module(project, "never_imported", "import time\ntime.sleep(3600)\n")
    project.settings["PRELOAD"] = ["never_imported"]
    daemon.start(ready=False)
    daemon.wait_event("forkserver.started")

    daemon.kill()

    daemon.tree.assert_gone(GONE_WITHIN_S)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_daemon_has_asked_every_child(project: Project, daemon: Daemon, number: int, tmp_path: Path) -> None:
    """Functions, coroutines and commands end in their own way, all recorded, and the daemon's exit code is 0."""
    goodbyes = tmp_path / "goodbyes"
    project.extra_env["DJANGO_SETTINGS_MODULE"] = "tests.process.probes.project_settings"
    project.settings["COMMANDS"] = ["wait_for_interrupt"]
    kwargs = {"path": str(goodbyes)}
    project.add_job("function", target=f"{PROBES}.say_goodbye", kwargs=kwargs, processes=3)
    project.add_job("coroutine", target=f"{PROBES}.say_goodbye_async", kwargs=kwargs, stop_signal="INT")
    project.add_job("command", command=f"wait_for_interrupt {goodbyes}")
    daemon.start()
    wait_for_calm(daemon, 5)
    daemon.wait_event("child.output", job="command", line="waits")
    for slot in ("function:0", "function:1", "function:2", "coroutine"):
        eventually(lambda slot=slot: daemon.slot(slot)["note"] == "waits", what=f"{slot} at its wait")  # type: ignore[misc]

    daemon.stop(number=number)

    assert sorted(goodbyes.read_text().split()) == ["command", "coroutine", "function", "function", "function"]
    ends = daemon.events("child.exited")
    assert {(end["outcome"], end["exit_code"]) for end in ends if "job" in end} == {("stopped", 0)}
    assert {(run.outcome, run.exit_code) for run in project.runs} == {("stopped", 0)}
    assert project.runs.count() == 5
    assert daemon.events("child.killed") == []
    assert daemon.events()[-1]["event"] == "daemon.stopped"


def test_a_second_signal_stops_at_once(project: Project, daemon: Daemon) -> None:
    """A child that has ten minutes to stop has it until the second SIGTERM."""
    project.add_job("ignore-stop", stop_timeout=600)
    daemon.start()
    wait_for_calm(daemon, 1)
    daemon.signal(signal.SIGTERM)
    daemon.wait_event("child.stopping", job="ignore-stop")

    asked = time.monotonic()
    daemon.stop()

    assert time.monotonic() - asked < 60
    ended = daemon.wait_event("child.exited", job="ignore-stop")
    assert (ended["signal"], ended["reason"]) == ("SIGKILL", "the daemon was told to stop a second time (SIGTERM)")
    eventually(lambda: project.runs.get().outcome, what="the run's end in the database")
    assert project.runs.get().reason == ended["reason"]


@pytest.mark.backends("any")
def test_a_spare_that_is_stopped_does_not_keep_the_daemon_from_its_end(project: Project, daemon: Daemon) -> None:
    """It cannot read that it is wanted no more."""
    project.add_job("idle")
    daemon.start()
    wait_for_calm(daemon, 1)
    named = {slot["pid"] for slot in daemon.picture()["slots"]} | {daemon.picture()["daemon"]["forkserver_pid"]}
    spares = eventually(lambda: [child.pid for child in daemon.children() if child.pid not in named], 30, "a spare")
    for pid in spares:
        os.kill(pid, signal.SIGSTOP)

    daemon.stop(within=30)

    assert [run.outcome for run in project.runs.all()] == ["stopped"]


@pytest.mark.backends("any")
def test_records_that_no_ledger_can_take_are_counted_when_they_are_lost(project: Project, daemon: Daemon) -> None:
    """The code does not load any more when forkserver and ledger die: nobody can be born to write anything down."""
    write_module(project, "released", "")
    project.settings["PRELOAD"] = ["released"]
    project.add_job("idle", processes=2)
    daemon.start()
    wait_for_calm(daemon, 2)
    eventually(lambda: project.runs.exclude(ready=None).count() == 2, what="the runs in the table")
    write_module(project, "released", "def broken(:")
    named = {slot["pid"] for slot in daemon.picture()["slots"] if slot["job_name"] == "idle"}
    for child in daemon.children():
        if child.pid not in named:
            os.kill(child.pid, signal.SIGKILL)
    daemon.wait_event("forkserver.rejected")

    daemon.stop(within=30)

    lost = daemon.wait_event("records.lost")
    assert lost["records"] > 0
    assert "no ledger could write down" in lost["reason"]
    write_module(project, "released", "")
    daemon.start()
    eventually(lambda: project.runs.filter(outcome="lost").count() == 2, 30, "the lost runs")
    assert not project.runs.filter(ended__lt=F("born")).exists()


@pytest.mark.backends("postgres-psycopg2")
def test_a_stop_with_neither_journal_nor_database_tries_a_few_ledgers_and_says_what_is_lost(
    project: Project, daemon: Daemon, databases: Databases
) -> None:
    with Link.open(project, databases) as link:
        project.add_job("idle", processes=2)
        daemon.start()
        wait_for_calm(daemon, 2)
        link.proxy.refuse()
        daemon.wait_event("ledger.lost", within=30)
        shutil.rmtree(project.state_dir)
        project.state_dir.touch()
        position = daemon.log.position

        daemon.stop(within=40)

    assert len(daemon.events("child.born", since=position, job="workerd.ledger")) <= 4
    assert daemon.wait_event("records.lost")["records"] > 0
    assert daemon.events("daemon.stopped")[0]["exit_code"] == 0
    assert len(daemon.events(since=position)) < 150
    project.state_dir.unlink()


@pytest.mark.backends("any")
def test_a_standard_stream_that_is_closed_is_the_null_device(project: Project) -> None:
    """Else the next file that is opened gets its number, and the log."""
    project.add_job("idle")
    command = ["bash", "-c", 'exec "$@" >&- 2>&-', "-", sys.executable, str(MANAGE), "workerd", "run"]
    with subprocess.Popen(command, env=project.env, cwd=project.folder) as process:
        try:
            eventually(lambda: project.runs.exclude(ready=None).exists(), 30, "a run")
            where = [str(Path(f"/proc/{process.pid}/fd/{number}").readlink()) for number in (1, 2)]
        finally:
            process.terminate()

    assert (process.returncode, where) == (0, [os.devnull] * 2)


@pytest.mark.backends("any")
def test_a_state_dir_may_be_deeper_than_a_socket_s_path(project: Project, daemon: Daemon) -> None:
    """AF_UNIX paths end at 107 bytes, those of folders do not."""
    project.state_dir = project.folder.joinpath(*[DEEP] * 10, "state")
    assert len(str(project.state_dir)) > 2 * 107
    project.add_job("idle")
    daemon.start()
    daemon.wait_state("idle", "RUNNING")

    done = project.manage("workerd", "status", "--json")

    assert done.returncode == 0, done.stderr
    assert [slot["state"] for slot in json.loads(done.stdout)["slots"]] == ["RUNNING", "RUNNING"]
    daemon.stop()

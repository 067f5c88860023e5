"""``workerd sync`` beside a running daemon: what it writes arrives at once, and does what it said."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness.daemon import Daemon
from tests.harness.project import BAD_JOBS, Project
from tests.harness.waiting import eventually

from .test_edits import pids, wait_for_slots

pytestmark = [pytest.mark.slow, pytest.mark.backends("sqlite", "postgres-psycopg2", "mysql-mysqlclient")]
WITHIN_S = 20.0
NEVER_S = 3600.0
ALWAYS = "start_grace = 0.05\n"
DONE, TO_DECIDE = 0, 1

Sync = Callable[..., "subprocess.CompletedProcess[str]"]


def table(name: str, fields: str, target: str = "idle") -> str:
    return f'[jobs.{name}]\ntarget = "{BAD_JOBS}.{target}"\n{ALWAYS}{fields}\n'


@pytest.fixture
def file(project: Project, tmp_path: Path) -> Path:
    file = tmp_path / "jobs.toml"
    project.settings["DEFINITIONS"] = [str(file)]
    return file


@pytest.fixture
def sync(project: Project, file: Path) -> Sync:
    """Run sync on a text of TOML."""

    def run(text: str, *words: str) -> "subprocess.CompletedProcess[str]":
        file.write_text(text)
        return project.manage("workerd", "sync", *words)

    return run


def wait_until_reported(project: Project, count: int) -> None:
    """Wait until the admin and sync see what runs, which the ledger writes a moment later."""
    running = project.slots.filter(state="RUNNING").exclude(job_name="")
    eventually(lambda: running.count() == count, WITHIN_S, f"{count} running slots in the database")


def test_what_sync_writes_starts_restarts_and_stops_what_it_said(project: Project, daemon: Daemon, sync: Sync) -> None:
    done = sync(table("feed", "processes = 2") + table("mail", "processes = 2") + table("old", ""))
    assert (done.returncode, done.stderr) == (DONE, "")
    assert "No daemon reports now." in done.stdout
    daemon.start()
    before = wait_for_slots(daemon, "feed:0", "feed:1", "mail:0", "mail:1", "old")
    wait_until_reported(project, 5)
    since = daemon.log.position

    done = sync(table("feed", "processes = 3") + table("mail", "processes = 2\nnice = 3"))

    assert done.returncode == DONE, done.stderr
    assert re.findall(r"^(\w+): (.*)$", done.stdout, re.MULTILINE)[:3] == [
        ("feed", "changed; starts 1 process"),
        ("mail", "changed; restarts 2 processes"),
        ("old", "gone from the code; switched off, “--prune” deletes it; stops 1 process"),
    ]
    ends = daemon.wait_events("child.exited", 3, within=WITHIN_S, since=since)
    assert {end["slot"] for end in ends} == {"mail:0", "mail:1", "old"}
    after = wait_for_slots(daemon, "feed:0", "feed:1", "feed:2", "mail:0", "mail:1")
    assert {name: after[name] for name in ("feed:0", "feed:1")} == {name: before[name] for name in ("feed:0", "feed:1")}
    assert not {after["mail:0"], after["mail:1"]} & set(before.values())


def test_a_sync_in_step_restarts_nothing(project: Project, daemon: Daemon, sync: Sync) -> None:
    text = table("feed", 'processes = 2\nnotes = """\nTwo\nlines.\n"""\nschedule = ""')
    sync(text)
    daemon.start()
    before = wait_for_slots(daemon, "feed:0", "feed:1")
    since = daemon.log.position

    done = sync(text)
    project.add_job("mark", "idle")  # what the daemon notices after it
    wait_for_slots(daemon, "feed:0", "feed:1", "mark")

    assert (done.returncode, done.stdout) == (DONE, "Jobs: 1 in step.\n")
    assert daemon.events("child.exited", since=since) == []
    assert {name: pid for name, pid in pids(daemon).items() if name != "mark"} == before


@pytest.mark.backends("postgres-psycopg2")
def test_a_notify_brings_it_to_the_daemon(project: Project, daemon: Daemon, sync: Sync) -> None:
    """The poll would find it in an hour."""
    project.settings["POLL_SECONDS"] = NEVER_S
    sync(table("feed", ""))
    daemon.start()
    wait_for_slots(daemon, "feed")

    assert sync(table("feed", "processes = 2") + table("mail", "")).returncode == DONE

    wait_for_slots(daemon, "feed:0", "feed:1", "mail")


def test_no_daemon_syncs_by_itself(project: Project, daemon: Daemon, sync: Sync, file: Path) -> None:
    """An older release that starts, or is reloaded, beside a newer one undoes nothing of what that has written."""
    sync(table("feed", "processes = 2") + table("newer", ""))
    file.write_text(table("feed", "processes = 1") + table("other", ""))

    daemon.start()
    wait_for_slots(daemon, "feed:0", "feed:1", "newer")
    reloaded = project.manage("workerd", "reload")

    assert reloaded.returncode == DONE, reloaded.stdout + reloaded.stderr
    wait_for_slots(daemon, "feed:0", "feed:1", "newer")
    assert set(project.jobs.values_list("name", "processes", "enabled")) == {("feed", 2, True), ("newer", 1, True)}


@pytest.mark.backends("any")
def test_a_drift_ends_with_1_for_whoever_asks_at_night(project: Project, sync: Sync) -> None:
    text = table("feed", "processes = 2")
    assert sync(text, "--dry-run").returncode == TO_DECIDE
    sync(text)
    assert sync(text, "--dry-run").returncode == DONE

    project.edit_job("feed", processes=3)

    assert sync(text, "--dry-run").returncode == TO_DECIDE
    assert sync(text).returncode == TO_DECIDE
    assert project.jobs.get().processes == 3


@pytest.mark.backends("sqlite")
@pytest.mark.parametrize("verb", [["sync"], ["export"], ["import", "FILE"]], ids=lambda words: words[0])
def test_a_database_without_its_tables_is_said(empty_project: Project, tmp_path: Path, verb: list[str]) -> None:
    file = tmp_path / "jobs.toml"
    file.write_text(table("feed", ""))
    empty_project.settings["DEFINITIONS"] = [str(file)]

    done = empty_project.manage("workerd", *[str(file) if word == "FILE" else word for word in verb])

    assert done.returncode == 1
    assert done.stderr.startswith("The database lacks a table or column of workerd (no such table: workerd_job).")
    assert "Traceback" not in done.stderr

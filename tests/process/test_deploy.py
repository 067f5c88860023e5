"""The deploy of docs/deployment.md: a release with a changed, a new and a removed job, and what goes on meanwhile."""

import pytest

from tests.harness.daemon import Daemon
from tests.harness.modules import write_module
from tests.harness.project import ROOT, Project
from tests.harness.waiting import eventually

FIRST = """
from workerd import job

@job
def work(context):
    for _ in context.every(0.1):
        context.beat("release 1")

@job
def legacy(context):
    context.wait()
"""
SECOND = """
from workerd import job

@job
def work(context):
    for _ in context.every(0.1):
        context.beat("release 2")

@job
def added(context):
    context.wait()
"""
JOBS = """
[jobs.work]
target = "released.work"
start_grace = 0.1
[jobs.{other}]
target = "released.{other}"
start_grace = 0.1
"""

pytestmark = [pytest.mark.slow, pytest.mark.backends("sqlite", "postgres-psycopg2")]


@pytest.fixture
def released(project: Project, daemon: Daemon) -> Daemon:
    """A daemon whose jobs are those of the first release."""
    project.settings |= {"PRELOAD": ["released"], "DEFINITIONS": [str(project.folder / "jobs.toml")]}
    release(project, FIRST, "legacy")
    assert project.manage("workerd", "sync").returncode == 0
    daemon.start()
    daemon.wait_state("work", "RUNNING")
    daemon.wait_state("legacy", "RUNNING")
    eventually(lambda: note(daemon, "work") == "release 1", 30, "the job's first turn")
    return daemon


def release(project: Project, code: str, other: str) -> None:
    write_module(project, "released", code)
    (project.folder / "jobs.toml").write_text(JOBS.format(other=other))


def note(daemon: Daemon, slot: str) -> str:
    return str(daemon.slot(slot)["note"])


def steps() -> list[list[str]]:
    """Return the page's calls of ``manage.py``, in its order."""
    block = (ROOT / "docs" / "deployment.md").read_text().partition("## A release")[2].partition("```sh\n")[2]
    return [line.split()[2:] for line in block.partition("```")[0].splitlines() if line.startswith("python manage.py")]


def test_the_pages_steps_bring_a_release_in_and_what_it_leaves_alone_goes_on(
    project: Project, released: Daemon
) -> None:
    daemon, pid = released, released.child_pid("work")
    release(project, SECOND, "added")
    *before, reload = steps()

    for words in before:
        done = project.manage(*words)
        assert done.returncode == 0, done.stdout + done.stderr
    daemon.wait_state("legacy", "STOPPED")
    daemon.wait_state("added", "PARKED")  # the code that runs does not have it yet
    assert (daemon.child_pid("work"), note(daemon, "work")) == (pid, "release 1")

    done = project.manage(*reload)
    assert done.returncode == 0, done.stdout + done.stderr
    daemon.wait_state("added", "RUNNING")
    eventually(lambda: note(daemon, "work") == "release 2", 30, "the new code at work")
    assert [event["pid"] for event in daemon.events("child.exited", job="work")] == [pid]


def test_a_reload_before_the_sync_keeps_the_code_of_a_job_that_is_gone(project: Project, released: Daemon) -> None:
    """This is why the page has the sync first."""
    release(project, SECOND, "added")

    done = project.manage("workerd", "reload")

    assert done.returncode == 1
    assert "legacy" in done.stdout + done.stderr
    assert released.slot("legacy")["state"] == "RUNNING"

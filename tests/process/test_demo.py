"""The demo as the README tells it: set up, watched for a minute, ended by Ctrl-C."""

import os
import signal

import pytest

from tests.harness.backends.server import free_port
from tests.harness.daemon import Daemon
from tests.harness.project import Project
from tests.harness.web import read_page

pytestmark = [pytest.mark.slow, pytest.mark.backends("any")]
MISHAPS = {"call-courier": "error", "build-catalogue": "over_memory", "print-labels": "hung"}
"""The first end of each job that goes wrong, all within a minute."""
WITHIN_S = 180.0


@pytest.fixture
def project(empty_project: Project) -> Project:
    """The demo with its own settings, before its first migration."""
    empty_project.extra_env["DJANGO_SETTINGS_MODULE"] = "django_site.settings"
    return empty_project


def test_the_demo_runs_heals_and_stops_at_ctrl_c(project: Project, daemon: Daemon) -> None:
    port = free_port()
    for words in (["migrate"], ["demo", "--port", str(port)]):
        done = project.manage(*words)
        assert done.returncode == 0, done.stderr
    jobs = {job.name: job.processes for job in project.jobs}
    daemon.start()

    for name, processes in jobs.items():
        daemon.wait_events("child.born", processes, job=name)
    assert "csrfmiddlewaretoken" in read_page(f"http://127.0.0.1:{port}/admin/login/")
    daemon.wait_event("job.failed", within=WITHIN_S, job="call-courier")
    for name, outcome in MISHAPS.items():
        end = daemon.wait_event("child.exited", within=WITHIN_S, job=name)
        assert end["outcome"] == outcome
        daemon.wait_event("child.born", job=name, run=end["run"].__ne__)
    assert "_wait_for_printer" in daemon.wait_event("child.stack", job="print-labels")["stack"]
    [closed] = daemon.events("connection.closed", reason="before_fork")
    assert closed["pid"] == daemon.wait_event("forkserver.ready")["forkserver_pid"]

    daemon.tree.look(daemon.pid)
    os.killpg(daemon.pid, signal.SIGINT)  # as a terminal does, to everybody in the foreground

    assert daemon.wait() == 0
    daemon.assert_clean_exit()
    assert "Traceback" not in daemon.stderr
    births = daemon.events("child.born", job=jobs.__contains__)
    ends = {event["run"]: event["outcome"] for event in daemon.events("child.exited", job=jobs.__contains__)}
    assert set(ends) == {birth["run"] for birth in births}
    assert {str(run.pk): run.outcome for run in project.runs} == ends
    assert set(ends.values()) == {"stopped", *MISHAPS.values()}

"""Jobs that start after others, with real processes: the order in the log, and what a later crash leaves alone."""

import os
import signal
from typing import Any

import pytest

from tests.harness.daemon import Daemon
from tests.harness.modules import write_module
from tests.harness.project import Project

CODE = """
from workerd import job

@job
def migrate(context):
    context.wait(0.2)

@job
def bridge(context):
    context.wait(0.3)
    context.ready()
    context.wait()

@job
def web(context):
    context.wait()
"""
NEVER_READY_S = 1.0
LOADED_WITHIN_S = 60.0

pytestmark = [pytest.mark.backends("any"), pytest.mark.slow]


@pytest.fixture(autouse=True)
def code(project: Project) -> None:
    write_module(project, "ordered", CODE)
    project.settings["PRELOAD"] = ["ordered"]


def place(daemon: Daemon, name: str, **match: Any) -> int:
    """Return how far down in the log the first event stands that matches."""
    [first, *_] = daemon.events(name, **match)
    return daemon.events().index(first)


def test_the_log_has_the_order_and_a_later_crash_touches_nobody_else(project: Project, daemon: Daemon) -> None:
    project.add_job("web", target="ordered.web", starts_after=["bridge", "migrate"], start_grace=0.1)
    project.add_job("bridge", target="ordered.bridge", starts_after=["migrate"], signals_ready=True)
    project.add_job("migrate", target="ordered.migrate", restart="never", start_grace=5.0)
    daemon.start(within=LOADED_WITHIN_S)
    web, bridge = (
        daemon.wait_state("web", "RUNNING", LOADED_WITHIN_S),
        daemon.wait_state("bridge", "RUNNING", LOADED_WITHIN_S),
    )

    assert (
        place(daemon, "child.exited", job="migrate", outcome="finished")
        < place(daemon, "child.born", job="bridge")
        < place(daemon, "child.ready", job="bridge")
        < place(daemon, "child.born", job="web")
        < place(daemon, "daemon.ready")
    )

    os.kill(bridge["pid"], signal.SIGKILL)
    daemon.wait_events("child.ready", 2, within=LOADED_WITHIN_S, job="bridge")

    assert daemon.slot("web")["pid"] == web["pid"]
    assert daemon.events("job.order_ignored") == []


def test_a_job_that_is_never_ready_is_passed_over_with_a_warning(project: Project, daemon: Daemon) -> None:
    stuck: dict[str, Any] = {
        "signals_ready": True,
        "start_grace": 0.1,
        "start_timeout": NEVER_READY_S,
        "stop_timeout": 0.5,
    }
    project.add_job("stuck", target="ordered.web", **stuck)
    project.add_job("web", target="ordered.web", starts_after=["stuck"])
    daemon.start(ready=False)
    waiting = daemon.wait_event("child.born", within=LOADED_WITHIN_S, job="stuck")
    daemon.wait_state("web", "RUNNING", LOADED_WITHIN_S)

    [ignored] = daemon.events("job.order_ignored")
    assert (ignored["level"], ignored["job"], ignored["starts_after"], ignored["reason"]) == (
        "warning",
        "web",
        "stuck",
        "it does not run 1 s after its first start, its start timeout",
    )
    log = daemon.events()
    assert log.index(waiting) < log.index(ignored) < place(daemon, "child.born", job="web")


def test_a_slot_that_waits_says_for_whom_and_starts_when_it_is_named(project: Project, daemon: Daemon) -> None:
    project.add_job("stuck", target="ordered.web", signals_ready=True, start_timeout=600.0)
    project.add_job("web", target="ordered.web", starts_after=["stuck"])
    daemon.start(ready=False)
    daemon.wait_event("child.born", within=LOADED_WITHIN_S, job="stuck")
    told = daemon.wait_state("web", "WAITING")
    answer = daemon.project.manage("workerd", "start", "web")

    assert told["reason"] == "waits for stuck to run"
    assert answer.returncode == 0
    assert daemon.slot("web")["state"] == "RUNNING"
    assert daemon.events("daemon.ready") == []

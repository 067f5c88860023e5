"""The recipe of docs/schedules.md for a service that expects pings, word for word, against a server of the test."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from tests.harness.daemon import Daemon
from tests.harness.modules import write_module
from tests.harness.project import ROOT, Project
from tests.harness.waiting import eventually

NIGHTLY: dict[str, Any] = {"schedule": "30 2 1 1 *", "time_zone": "UTC", "restart": "on_failure", "backoff_initial": 0}
PINGED = ("finish", "crash", "idle")

pytestmark = [pytest.mark.slow, pytest.mark.backends("any")]


class Pings(HTTPServer):
    """Answers every ping, and keeps it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), PingHandler)
        self.seen: list[str] = []

    def of(self, job: str) -> list[tuple[str, str]]:
        """Return event and run of each ping of the job's check, in order."""
        found = [path.partition("?rid=") for path in self.seen if path.startswith(f"/{job}")]
        return [(path.removeprefix(f"/{job}"), run) for path, _, run in found]


class PingHandler(BaseHTTPRequestHandler):
    server: Pings

    def do_GET(self) -> None:
        self.server.seen.append(self.path)
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        pass


@pytest.fixture
def pings() -> Iterator[Pings]:
    with Pings() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def recipe() -> str:
    page = (ROOT / "docs" / "schedules.md").read_text()
    return page.partition("<!-- pings -->\n```python\n")[2].partition("```")[0]


def start(project: Project, daemon: Daemon, address: str) -> None:
    """Start a project that has taken the recipe over."""
    urls = {job: f"{address}/{job}" for job in PINGED}
    write_module(project, "pinged_settings", f"from tests.process.jobs_settings import *\nPING_URLS = {urls!r}\n")
    write_module(project, "pings", recipe())
    project.extra_env["DJANGO_SETTINGS_MODULE"] = "pinged_settings"
    project.settings["PRELOAD"] = ["pings"]
    for job in (*PINGED, "mark_and_stay"):
        project.add_job(job, max_restarts=1, **NIGHTLY)
    daemon.start()


def run_to_its_end(daemon: Daemon, job: str) -> None:
    daemon.ask({"verb": "trigger", "names": [job], "to_end": True}, within=30)


def test_each_run_pings_its_start_and_how_it_ended(project: Project, daemon: Daemon, pings: Pings) -> None:
    start(project, daemon, f"http://127.0.0.1:{pings.server_port}")
    for job in ("finish", "crash"):
        run_to_its_end(daemon, job)
    for job in ("idle", "mark_and_stay"):
        assert daemon.ask({"verb": "trigger", "names": [job]}, within=30)["ok"]
    daemon.wait_state("idle", "RUNNING")
    eventually(lambda: pings.of("idle"), what="the ping of its start")
    assert daemon.ask({"verb": "stop", "names": ["idle"]}, within=30)["ok"]

    [run] = {run for _, run in pings.of("finish")}
    assert pings.of("finish") == [("/start", run), ("", run)]
    eventually(lambda: project.runs.filter(pk=run, outcome="finished").exists(), 30, "the run")
    assert [event for event, _ in pings.of("crash")] == ["/start", "/fail", "/start", "/fail"]
    assert len({run for _, run in pings.of("crash")}) == 2
    assert [event for event, _ in pings.of("idle")] == ["/start"]
    assert pings.of("mark_and_stay") == []


def test_a_service_that_does_not_answer_stops_no_job(project: Project, daemon: Daemon, pings: Pings) -> None:
    start(project, daemon, "http://127.0.0.1:9")
    run_to_its_end(daemon, "finish")

    assert daemon.wait_event("child.exited", within=30, job="finish")["outcome"] == "finished"
    warned = daemon.events("no ping for finish: <urlopen error [Errno 111] Connection refused>")
    assert [event["level"] for event in warned] == ["warning", "warning"]

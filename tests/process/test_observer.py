"""HTTP health and metrics, from a child that may hang or die without harm."""

import os
import signal
import socket
import urllib.error
import urllib.request
import uuid

import pytest
from django.db.models import F

from tests.harness.backends.server import free_port
from tests.harness.daemon import READY_WITHIN_S, Daemon
from tests.harness.modules import write_module
from tests.harness.project import ALIAS, Project
from tests.harness.waiting import eventually
from tests.harness.web import read_page
from workerd.models import Seat

OBSERVER = "workerd.observer"
RESTARTED_WITHIN_S = 30.0
REPAIRED_WITHIN_S = 60.0
"""A load that failed is tried again after up to 30 s."""
TAKEN_OVER_WITHIN_S = 40.0

pytestmark = [pytest.mark.backends("any"), pytest.mark.slow]


class Observed:
    """A daemon with HTTP_BIND, and what it answers there."""

    def __init__(self, daemon: Daemon, port: int) -> None:
        self.daemon = daemon
        self.port = port

    def get(self, path: str, within: float = 30.0) -> tuple[int, str]:
        """Return status and body."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=within) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def start(self) -> None:
        self.daemon.start()
        self.wait_until_live()

    def wait_until_live(self) -> None:
        """Wait until it listens: that it runs is known as soon as it has lived for a moment."""
        read_page(f"http://127.0.0.1:{self.port}/livez")

    @property
    def pid(self) -> int:
        return int(self.daemon.wait_state(OBSERVER, "RUNNING")["pid"])


@pytest.fixture
def observed(project: Project, daemon: Daemon) -> Observed:
    port = free_port()
    project.settings["HTTP_BIND"] = f"127.0.0.1:{port}"
    project.add_job("idle", backoff_initial=0)
    return Observed(daemon, port)


def sample(text: str, name: str) -> float:
    """Return the value of one series of a scrape."""
    return float(next(line for line in text.splitlines() if line.startswith(f"{name} ")).rpartition(" ")[2])


def test_it_is_live_ready_and_tells_its_figures(observed: Observed, project: Project) -> None:
    project.add_job("crash", backoff_initial=60, start_grace=20)
    observed.start()
    observed.daemon.wait_state("crash", "BACKOFF")
    observed.daemon.wait_events("fork.prepared", 2)
    observed.daemon.wait_events("connection.opened", 2, alias="default")
    observed.daemon.wait_event("connection.closed", alias="default", reason="before_fork")
    lines = len(observed.daemon.log.lines)

    assert observed.get("/livez") == (200, "ok\n")
    assert observed.get("/readyz") == (200, "ok\n")
    status, text = observed.get("/metrics")
    assert status == 200
    assert sample(text, "workerd_ready") == 1
    assert sample(text, "workerd_ledger_lag_records") >= 0
    assert sample(text, "workerd_ledger_set_aside_records") == 0
    assert sample(text, 'workerd_slots{job="idle",state="RUNNING"}') == 1
    assert sample(text, 'workerd_slots{job="crash",state="BACKOFF"}') == 1
    assert sample(text, 'workerd_exits_total{job="crash",outcome="error"}') == 1
    assert sample(text, "workerd_run_seconds_count") == 1
    assert sample(text, 'workerd_connections_opened_total{alias="default"}') >= 2
    assert sample(text, 'workerd_connections_closed_total{alias="default",reason="before_fork"}') == 1
    assert sample(text, "workerd_fork_preparation_seconds_count") >= 3
    assert sample(text, "workerd_seats_lost_total") == sample(text, "workerd_seats_taken_over_total") == 0
    assert sample(text, "workerd_log_lines_total") >= lines - 2
    assert observed.get("/elsewhere") == (404, "no such path; there are /livez, /readyz, /metrics\n")


def test_without_prometheus_client_only_the_metrics_are_missing(observed: Observed, project: Project) -> None:
    write_module(project, "prometheus_client", "raise ImportError('not installed')")
    observed.start()

    status, text = observed.get("/metrics")
    assert (status, text) == (501, "prometheus-client is not installed: pip install 'django-workerd[metrics]'\n")
    assert observed.get("/livez")[0] == 200


def test_a_significant_job_that_is_parked_is_not_ready(observed: Observed, project: Project) -> None:
    project.add_job("leave", kwargs={"code": 78}, significant=True)
    observed.start()
    observed.daemon.wait_state("leave", "PARKED")

    assert observed.get("/readyz") == (503, "leave is parked, and its job is significant\n")
    assert observed.get("/livez") == (200, "ok\n")


NIGHTLY = {"schedule": "30 2 1 1 *", "time_zone": "UTC", "restart": "never"}


def run_now(observed: Observed, name: str) -> None:
    assert observed.daemon.ask({"verb": "trigger", "names": [name], "to_end": True}, within=30)["slots"]


def test_a_significant_scheduled_job_that_failed_is_not_ready_until_it_finishes(
    observed: Observed, project: Project
) -> None:
    project.add_job("nightly", "crash", significant=True, **NIGHTLY)
    observed.start()

    run_now(observed, "nightly")
    assert observed.get("/readyz") == (503, "nightly failed at its last time, and its job is significant\n")
    project.edit_job("nightly", target="tests.process.bad_jobs.jobs.finish")
    eventually(lambda: len(observed.daemon.events("jobs.changed")) > 1, 30, "the edit")
    run_now(observed, "nightly")

    assert observed.get("/readyz") == (200, "ok\n")


def test_the_figures_of_a_schedule_outlive_the_daemon(observed: Observed, project: Project) -> None:
    project.add_job("finish", **NIGHTLY)
    succeeded, due = (f'workerd_job_{name}_timestamp_seconds{{job="finish"}}' for name in ("last_success", "next_due"))
    observed.start()
    before = observed.get("/metrics")[1]
    run_now(observed, "finish")
    after = observed.get("/metrics")[1]
    eventually(lambda: observed.daemon.picture()["daemon"]["unjournaled"] == 0, what="the journal to have it")
    observed.daemon.kill()
    observed.start()
    later = observed.get("/metrics")[1]

    assert succeeded not in before
    assert sample(later, succeeded) == sample(after, succeeded) > 0
    assert sample(later, due) == sample(before, due)
    assert sample(later, 'workerd_slots{job="finish",state="RESTING"}') == 1
    assert sample(later, 'workerd_job_missed_total{job="finish"}') == 0
    assert sample(later, "workerd_job_lateness_seconds_count") == 0


def test_a_daemon_that_does_not_turn_is_not_live(observed: Observed) -> None:
    observed.start()
    os.kill(observed.daemon.pid, signal.SIGSTOP)
    try:
        for path in ("/livez", "/readyz", "/metrics"):
            assert observed.get(path) == (503, "the daemon does not answer: timed out\n")
    finally:
        os.kill(observed.daemon.pid, signal.SIGCONT)

    assert observed.get("/livez") == (200, "ok\n")


def test_its_death_and_its_hanging_harm_nobody_else(observed: Observed) -> None:
    observed.start()
    idle = observed.daemon.wait_state("idle", "RUNNING")["pid"]
    first = observed.pid

    os.kill(first, signal.SIGKILL)

    observed.daemon.wait_event("child.exited", slot=OBSERVER, pid=first)
    eventually(lambda: is_live(observed), RESTARTED_WITHIN_S, "another observer")
    os.kill(observed.pid, signal.SIGSTOP)
    assert observed.daemon.ask({"verb": "restart", "names": ["idle"]})["ok"] is True
    assert observed.daemon.slot("idle")["pid"] != idle
    observed.daemon.stop()


def is_live(observed: Observed) -> bool:
    try:
        return observed.get("/livez") == (200, "ok\n")
    except OSError:
        return False


def test_clients_that_say_nothing_do_not_keep_others_out(observed: Observed) -> None:
    observed.start()
    silent = [socket.create_connection(("127.0.0.1", observed.port)) for _ in range(31)]
    try:
        assert observed.get("/livez") == (200, "ok\n")
        assert observed.pid
    finally:
        for client in silent:
            client.close()


def test_an_address_that_is_taken_is_said_and_tried_again(observed: Observed) -> None:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", observed.port))
        taken.listen()
        observed.daemon.start()
        end = observed.daemon.wait_event("child.exited", slot=OBSERVER)
        assert f'WORKERD["HTTP_BIND"] 127.0.0.1:{observed.port}: Address already in use' in end["reason"]

    observed.daemon.wait_state(OBSERVER, "RUNNING")


def test_a_reload_leaves_it_alone(observed: Observed) -> None:
    observed.start()
    first = observed.pid

    assert observed.daemon.ask({"verb": "reload"}, within=60)["ok"] is True

    assert observed.pid == first
    assert observed.get("/livez") == (200, "ok\n")


NOT_STARTED = "some enabled slots have not finished their first start\nno process can be started: "


def start_with(observed: Observed, project: Project, code: str) -> None:
    """Start the daemon on a project whose load runs ``code``, and wait for the observer alone."""
    write_module(project, "release", code)
    project.settings["PRELOAD"] = ["release"]
    observed.daemon.start(ready=False)
    eventually(lambda: is_live(observed), READY_WITHIN_S, "the observer")


def test_a_first_release_that_does_not_load_is_live_and_not_ready(observed: Observed, project: Project) -> None:
    """The exception's words may hold a secret, and whoever asks here has no password: its name has to do."""
    start_with(observed, project, "raise RuntimeError('the key is 4711')")
    observed.daemon.wait_event("forkserver.rejected")
    first = observed.pid

    assert observed.get("/readyz") == (503, NOT_STARTED + "its code does not load (RuntimeError), the log says why\n")
    assert sample(observed.get("/metrics")[1], "workerd_ready") == 0
    write_module(project, "release", "")
    eventually(lambda: observed.get("/readyz") == (200, "ok\n"), REPAIRED_WITHIN_S, "the repaired release")
    assert observed.pid == first


def test_a_first_release_that_hangs_as_it_loads_is_live_and_not_ready(observed: Observed, project: Project) -> None:
    start_with(observed, project, "import time\ntime.sleep(3600)")
    forkserver = observed.daemon.wait_event("forkserver.started")["forkserver_pid"]

    assert observed.get("/readyz") == (503, f"{NOT_STARTED}the project's code is being loaded (pid {forkserver})\n")
    observed.daemon.stop()


def test_it_ends_with_a_daemon_that_is_killed_and_leaves_the_address_to_the_next(observed: Observed) -> None:
    observed.start()
    first = observed.pid
    observed.daemon.kill()
    eventually(lambda: not is_live(observed), RESTARTED_WITHIN_S, "the end of the observer")
    observed.start()

    assert observed.pid != first
    observed.wait_until_live()
    assert observed.get("/livez") == (200, "ok\n")


def test_seats_of_the_fleet_are_counted(observed: Observed, project: Project) -> None:
    """Another life is written into the row: the seat is lost, and taken over once that life is not heard of."""
    project.add_job("only", "idle", scope="fleet", takeover_after=10.0)
    observed.start()

    def figure(name: str) -> float:
        _, text = observed.get("/metrics")
        return sample(text, name) if f"\n{name} " in text else 0.0

    eventually(lambda: figure('workerd_seats_held{job="only"}') == 1, TAKEN_OVER_WITHIN_S, "the seat to be held")
    seats = Seat.objects.using(ALIAS).filter(job__name="only")
    seats.update(life=uuid.uuid4(), token=F("token") + 1)

    eventually(lambda: figure("workerd_seats_lost_total") == 1, TAKEN_OVER_WITHIN_S, "the loss")
    eventually(lambda: figure("workerd_seats_taken_over_total") == 1, TAKEN_OVER_WITHIN_S, "the takeover")
    eventually(lambda: figure('workerd_seats_held{job="only"}') == 1, TAKEN_OVER_WITHIN_S, "the seat to be held again")
    assert observed.daemon.wait_event("seat.lost")["slot"] == "only"

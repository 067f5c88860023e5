"""What the daemon says of itself, to ``status`` and to the service manager."""

import json
import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.harness.node import Node
from workerd.daemon.node.alerts import Alerts
from workerd.daemon.node.observer import Counters
from workerd.daemon.node.readiness import Readiness
from workerd.daemon.node.reloading import Reloading
from workerd.daemon.node.shutdown import Shutdown
from workerd.daemon.node.status import REST_S, SLOTS_A_PART, Status, StatusLine
from workerd.wire.messages import DatabaseConnected, DatabaseLost, Failed, JobsListed, PushFound
from workerd.wire.reasons import Reason


def status_of(node: Node, counters: Counters | None = None) -> tuple[Status, Shutdown, Readiness]:
    shutdown, readiness = Shutdown(node.parts), Readiness(node.parts)
    alerts, reloading = Alerts(node.parts, readiness), Reloading(node.parts, shutdown)
    return Status(node.parts, shutdown, readiness, reloading, counters, alerts), shutdown, readiness


def status_line(node: Node) -> StatusLine:
    shutdown = Shutdown(node.parts)
    return StatusLine(node.parts, shutdown, Reloading(node.parts, shutdown))


def test_a_daemon_that_has_just_begun_says_what_it_does_not_know(node: Node) -> None:
    status, _, _ = status_of(node)

    assert status.snapshot() == {
        "daemon": {
            "name": "shop",
            "host": "web1",
            "pid": os.getpid(),
            "version": "0",
            "started": node.parts.started,
            "ready": False,
            "longest_turn_ms": 0.0,
            "busiest_turn_ms": 0.0,
            "stopping": "",
            "generation": None,
            "forkserver_pid": None,
            "forkserver_ready": False,
            "forkserver_trouble": "the forkserver is not started yet",
            "public_forkserver_trouble": "the forkserver is not started yet",
            "reload": "",
            "halted": False,
            "rejected": False,
            "drain": "",
            "database": {"reachable": None, "out_since": None, "vendor": "", "trouble": "", "push": None},
            "key": node.parts.identity.key,
            "life": node.parts.identity.life,
            "misfits": {},
            "log_trouble": "",
            "unjournaled": 0,
            "waiting": 0,
            "set_aside": 0,
            "alerts_unsent": None,
            "leftovers": [],
            "significant_parked": [],
            "significant_failed": [],
            "unheld": [],
            "overdue": [],
        },
        "slots": [],
    }


def test_a_daemon_at_work_says_what_runs_and_on_which_code(node: Node) -> None:
    status, _, readiness = status_of(node)
    node.start()
    node.add_job()
    node.settle()
    node.tell(DatabaseConnected("postgresql", "15"), PushFound(works=True), JobsListed(0))
    readiness.look()
    node.parts.slot_set.write_rows()
    picture = status.snapshot()["daemon"]

    assert (picture["generation"], picture["forkserver_pid"]) == (1, node.forkserver.pid)
    assert picture["database"] == {
        "reachable": True,
        "out_since": None,
        "vendor": "postgresql",
        "trouble": "",
        "push": True,
    }
    assert (picture["ready"], picture["forkserver_ready"]) == (True, True)
    assert picture["unjournaled"] == node.parts.records.unacknowledged > 0


def test_it_says_why_no_process_can_be_started(node: Node) -> None:
    status, _, _ = status_of(node)
    node.parts.generations.start()
    node.forkserver.reject("SyntaxError: never closed")
    node.turn()

    assert status.snapshot()["daemon"]["forkserver_trouble"] == "SyntaxError: never closed"


def test_the_line_that_every_user_may_read_has_no_word_of_a_job_in_it(new_node: Callable[..., Node]) -> None:
    node = new_node(exit_when_parked=True)
    status, shutdown, _ = status_of(node)
    line = StatusLine(node.parts, shutdown, Reloading(node.parts, shutdown))
    node.start()
    slot = node.add_job("feed", significant=True, max_restarts=0)
    node.bear()
    node.child_in(slot).say(Failed("ValueError", "sk-live-0123", "Traceback"))
    node.end_child(slot, code=1)

    assert line.text().startswith("stopping: feed is parked, and is significant: gave up after 1 failure")
    assert line.text().endswith("last: ValueError")
    assert status.snapshot()["daemon"]["stopping"].endswith("ValueError: sk-live-0123")


def test_it_says_why_the_daemon_stops(node: Node) -> None:
    status, shutdown, _ = status_of(node)
    node.start()
    shutdown.begin("SIGTERM")

    assert status.snapshot()["daemon"]["stopping"] == "SIGTERM"


def test_it_names_the_significant_jobs_that_are_parked(node: Node) -> None:
    status, _, _ = status_of(node)
    node.start()
    node.add_job("feed", problem="no such target", significant=True)
    node.add_job("mail", problem="no such target")

    assert status.snapshot()["daemon"]["significant_parked"] == ["feed"]


def test_the_counters_are_there_where_the_observer_is(node: Node) -> None:
    status, _, _ = status_of(node, Counters())

    assert "events" in status.snapshot()["counters"]


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """The socket of a service manager; asked for before the node, which looks for it when it is built."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield manager


def lines(manager: socket.socket) -> list[str]:
    """Return the status lines that the service manager got."""
    found: list[str] = []
    while True:
        try:
            found.append(manager.recv(4096).decode())
        except BlockingIOError:
            return [text.partition("=")[2] for text in found if text.startswith("STATUS=")]


def test_the_status_line_counts_what_runs(manager: socket.socket, new_node: Callable[..., Node]) -> None:
    node = new_node()
    line = status_line(node)
    node.start()
    node.add_job("feed", processes=2)
    node.add_job("mail", problem="no such target")
    node.settle()
    before = line.text()
    node.end_child(node.slot("feed"), signal=signal.SIGSEGV)
    node.tell(DatabaseConnected("sqlite", "3"))

    assert before == "2 of 3 running, 1 parked; database not known"
    assert line.text() == "1 of 3 running, 1 parked; database reachable (sqlite)"


def test_the_status_line_tells_scheduled_jobs_apart(node: Node) -> None:
    """What waits for its time is not one that should run and does not."""
    line = status_line(node)
    node.start()
    node.add_job("feed")
    node.add_job("report", schedule="30 2 * * *", time_zone="UTC", restart="on_failure")
    node.add_job("sweep", schedule="every 1 min", time_zone="UTC", restart="on_failure")
    node.add_job("unused", schedule="every 1 min", time_zone="UTC", restart="on_failure", enabled=False)
    node.settle()
    before = line.text().partition(";")[0]
    node.pass_time(41)
    node.settle()

    assert before == "1 of 1 running, 2 scheduled (next Tue 22:14 UTC)"
    assert line.text().partition(";")[0] == "1 of 1 running, 2 scheduled (1 running, next Tue 22:15 UTC)"


def test_the_status_line_counts_a_parked_scheduled_job_as_parked(node: Node) -> None:
    line = status_line(node)
    node.start()
    node.add_job("report", schedule="30 2 * * *", time_zone="UTC", restart="on_failure", problem="no such target")

    assert line.text() == "0 of 0 running, 1 scheduled (next Wed 02:30 UTC), 1 parked; database not known"


def test_the_status_line_says_that_the_database_is_out(node: Node) -> None:
    line = status_line(node)
    node.start()
    node.tell(DatabaseLost('database "default" (db:5432) refuses the login (no user "x")', "it refuses the login"))

    assert line.text() == "0 of 0 running; database OUT: it refuses the login"


def test_what_the_database_server_says_is_not_in_the_status_line(node: Node) -> None:
    """Every user of the machine may ask systemd."""
    line = status_line(node)
    node.start()
    node.tell(DatabaseLost('password authentication failed for user "shop"'))

    assert line.text() == "0 of 0 running; database OUT"


def test_the_status_line_says_that_the_daemon_stops(node: Node) -> None:
    shutdown = Shutdown(node.parts)
    line = StatusLine(node.parts, shutdown, Reloading(node.parts, shutdown))
    node.start()
    shutdown.begin(Reason("SIGTERM"))

    assert line.text() == "stopping: SIGTERM"


def test_the_line_is_written_no_more_often_than_it_may(manager: socket.socket, new_node: Callable[..., Node]) -> None:
    node = new_node()
    status_line(node)
    node.start()
    for number in range(20):
        node.add_job(f"job-{number}")
    early = lines(manager)
    node.pass_time(REST_S)

    assert early == []
    assert lines(manager) == ["0 of 20 running; database not known"]


def test_a_line_that_is_as_it_was_is_not_written_again(manager: socket.socket, new_node: Callable[..., Node]) -> None:
    node = new_node()
    line = status_line(node)
    node.start()
    node.pass_time(REST_S)
    first = lines(manager)
    line.wake()
    node.pass_time(REST_S)

    assert (len(first), lines(manager)) == (1, [])


def test_the_service_manager_reads_what_came_of_a_reload_before_it_is_told_that_the_reload_has_ended(
    manager: socket.socket, new_node: Callable[..., Node]
) -> None:
    """As far as everybody may read it: what raised is the project's own text."""
    node = new_node()
    shutdown = Shutdown(node.parts)
    reloading = Reloading(node.parts, shutdown)
    StatusLine(node.parts, shutdown, reloading)
    node.start()
    node.pass_time(REST_S)
    lines(manager)
    for _ in range(2):
        reloading.ask(lambda _: None)
    node.forkserver.reject("SyntaxError: secret")
    node.turn()
    early = messages(manager)
    node.forkserver.reject("SyntaxError: secret")
    node.turn()
    late = messages(manager)

    told = "STATUS=0 of 0 running; database not known; reload: the new generation was rejected"
    assert early[-1] == told
    assert late == ["READY=1"]


def messages(manager: socket.socket) -> list[str]:
    found: list[str] = []
    while True:
        try:
            found.append(manager.recv(4096).decode())
        except BlockingIOError:
            return found


def test_the_parts_make_the_same_picture(node: Node) -> None:
    """They are what goes through the control socket."""
    status, _, _ = status_of(node)
    without = json.loads(b"".join(status.parts()))
    node.add_job(processes=2 * SLOTS_A_PART + 1)
    parts = list(status.parts())
    both = json.loads(json.dumps({"ok": True, **status.snapshot()}, default=str))

    assert without["slots"] == []
    assert json.loads(b"".join(parts)) == both
    assert max(part.count(b'"name"') for part in parts) <= SLOTS_A_PART

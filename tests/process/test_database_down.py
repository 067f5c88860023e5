"""A database that is down is no crash of the jobs that ask it, whoever notices first."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.harness.backends.backend import Databases
from tests.harness.backends.server import Address, free_port
from tests.harness.daemon import Daemon
from tests.harness.outages import Link
from tests.harness.project import Project
from tests.harness.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.backends("postgres-psycopg2", "mysql-mysqlclient")]
NEVER_COUNT: dict[str, Any] = {"max_restarts": 0, "backoff_initial": 20, "backoff_max": 60}
"""The first failure that is counted parks."""


@pytest.fixture
def link(project: Project, databases: Databases) -> Iterator[Link]:
    project.extra_env["DJANGO_SETTINGS_MODULE"] = "tests.process.faults.settings"
    with Link.open(project, databases) as link:
        yield link


def test_a_child_that_notices_before_the_ledger_waits_uncounted_too(
    project: Project, daemon: Daemon, link: Link
) -> None:
    """And comes back with the database, long before its own delay is over."""
    project.add_job("asker", target="tests.process.faults.jobs.ask_for_ever", **NEVER_COUNT)
    daemon.start()
    daemon.wait_state("asker", "RUNNING")
    ledger = daemon.slot("workerd.ledger")["pid"]
    os.kill(ledger, signal.SIGSTOP)
    link.proxy.refuse()

    waiting = daemon.wait_state("asker", "WAITING")
    assert waiting["reason"] == "the database is unreachable"
    os.kill(ledger, signal.SIGCONT)
    daemon.wait_event("ledger.lost", within=30)
    link.proxy.heal()

    recovered = daemon.wait_event("ledger.recovered", within=30)
    born = daemon.wait_event("child.born", since=daemon.events().index(recovered), job="asker")
    assert born
    assert daemon.events("child.parked") == []
    daemon.wait_state("asker", "RUNNING")


def test_another_database_that_is_out_is_waited_for_and_named(
    project: Project, daemon: Daemon, databases: Databases
) -> None:
    nobody = SimpleNamespace(address=Address("127.0.0.1", free_port(), "nobody"))
    project.extra_env["DJANGO_SETTINGS_MODULE"] = "tests.process.faults.settings"
    project.extra_env["SECOND_DATABASE_URL"] = databases.url("nowhere", server=cast("Any", nobody))
    project.add_job("elsewhere", target="tests.process.faults.jobs.ask_elsewhere", backoff_initial=0.1, max_restarts=0)
    daemon.start()

    eventually(lambda: len(daemon.events("child.exited", job="elsewhere")) >= 3, 30, "three tries")

    assert daemon.events("child.parked") == []
    waiting = daemon.wait_event("child.restart_scheduled", job="elsewhere")
    assert waiting["reason"] == 'the database "second" is unreachable'
    told = daemon.events("job.failed", job="elsewhere")
    assert {event["level"] for event in told} == {"warning"}
    assert all("Traceback" not in event["exception"] for event in told)
    eventually(lambda: all("Traceback" in run.traceback for run in project.runs.exclude(ended=None)), 30, "the rows")


def test_a_database_that_is_read_only_is_waited_for_and_comes_back(
    project: Project, daemon: Daemon, link: Link
) -> None:
    """As in a failover: sessions live, and each write is refused."""
    project.add_job("writer", target="tests.process.faults.jobs.write_for_ever", **NEVER_COUNT | {"backoff_max": 20})
    daemon.start()
    daemon.wait_state("writer", "RUNNING")
    link.make_read_only(True)
    try:
        # Its first reason may be the session that the server has ended.
        eventually(lambda: daemon.slot("writer")["reason"] == "the database is read-only", 30, "the reason")
        lost = daemon.wait_event("ledger.lost", within=30)
    finally:
        link.make_read_only(False)

    assert "is read-only" in lost["reason"]
    daemon.wait_state("writer", "RUNNING", within=40)
    assert daemon.events("child.parked") == []


def test_a_database_without_a_free_session_is_waited_for_while_the_ledger_keeps_its_own(
    project: Project, daemon: Daemon, link: Link
) -> None:
    project.add_job(
        "asker",
        target="tests.process.faults.jobs.ask_for_ever",
        max_restarts=0,
        backoff_initial=0.2,
        backoff_max=0.2,
        start_grace=0.1,
    )
    daemon.start()
    daemon.wait_state("asker", "RUNNING")
    daemon.wait_event("connection.opened", job="asker")
    link.leave_one_session(daemon.events("connection.opened", job="asker")[-1]["session"])
    try:
        ended = len(daemon.events("child.exited", job="asker"))
        eventually(lambda: len(daemon.events("child.exited", job="asker")) >= ended + 4, 30, "four tries")
    finally:
        link.free_sessions()

    assert daemon.events("ledger.lost") == []
    assert daemon.events("child.restart_scheduled", job="asker")[-1]["reason"] == "the database has no free session"
    daemon.wait_state("asker", "RUNNING", within=30)
    assert daemon.events("child.parked") == []


def test_a_session_that_the_server_ends_is_one_quick_restart(project: Project, daemon: Daemon, link: Link) -> None:
    project.add_job("asker", target="tests.process.faults.jobs.ask_at_length", **NEVER_COUNT)
    daemon.start()
    daemon.wait_state("asker", "RUNNING")
    before = daemon.slot("asker")["pid"]

    eventually(lambda: link.end_session_within("sleep(60)"), 30, "the job's query")
    eventually(lambda: daemon.slot("asker")["pid"] not in {before, None}, 30, "a successor")
    daemon.wait_state("asker", "RUNNING", within=30)
    assert daemon.events("child.parked") == []


def test_a_job_that_swallows_errors_lives_through_an_outage(project: Project, daemon: Daemon, link: Link) -> None:
    """The refresh between two turns raises nothing."""
    project.add_job("swallower", target="tests.process.faults.jobs.ask_and_swallow", **NEVER_COUNT)
    daemon.start()
    eventually(lambda: daemon.slot("swallower")["note"] == "asked", 30, "a first turn")
    run = daemon.slot("swallower")["run"]
    link.proxy.refuse()
    eventually(lambda: daemon.slot("swallower")["note"] == "swallowed", 30, "a swallowed error")
    link.proxy.heal()

    eventually(lambda: daemon.slot("swallower")["note"] == "asked", 30, "the database again")
    assert daemon.slot("swallower")["run"] == run


def test_a_session_that_ended_while_a_job_waited_costs_it_nothing(
    project: Project, daemon: Daemon, link: Link, tmp_path: Path
) -> None:
    project.add_job(
        "waiter", target="tests.process.faults.jobs.wait_and_ask", kwargs={"path": str(tmp_path)}, **NEVER_COUNT
    )
    daemon.start()
    eventually(lambda: daemon.slot("waiter")["note"] == "asked 1", 30, "a first query")
    run = daemon.slot("waiter")["run"]
    link.end_sessions()
    (tmp_path / "1").touch()

    eventually(lambda: daemon.slot("waiter")["note"] == "asked 2", 30, "a second query")
    assert daemon.slot("waiter")["run"] == run

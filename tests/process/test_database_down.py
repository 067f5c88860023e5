"""A database that is down is no crash of the jobs that ask it, whoever notices first."""

import os
import signal
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.harness.backends.backend import Databases
from tests.harness.backends.server import Address, free_port
from tests.harness.daemon import Daemon
from tests.harness.outages import Link
from tests.harness.project import Project

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
    daemon.wait_event("ledger.lost", within=20)
    link.proxy.heal()

    recovered = daemon.wait_event("ledger.recovered", within=20)
    born = daemon.wait_event("child.born", since=daemon.events().index(recovered), job="asker")
    assert born
    assert daemon.events("child.parked") == []
    daemon.wait_state("asker", "RUNNING")


def test_another_database_that_is_out_is_plain_backoff(project: Project, daemon: Daemon, databases: Databases) -> None:
    """The ledger knows nothing of it: that may as well be a fault of the job's settings."""
    nobody = SimpleNamespace(address=Address("127.0.0.1", free_port(), "nobody"))
    project.extra_env["DJANGO_SETTINGS_MODULE"] = "tests.process.faults.settings"
    project.extra_env["SECOND_DATABASE_URL"] = databases.url("nowhere", server=cast("Any", nobody))
    project.add_job("elsewhere", target="tests.process.faults.jobs.ask_elsewhere", backoff_initial=0.1, max_restarts=2)
    daemon.start()

    parked = daemon.wait_event("child.parked", job="elsewhere", within=20)

    assert parked["reason"].startswith("3 failures within 600 s")
    assert daemon.events("child.restart_scheduled", job="elsewhere") != []

"""Whatever happens to the database, supervision, control socket and log go on, and what was held up is caught up."""

import json
import os
import re
import signal
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.harness.backends.backend import Databases
from tests.harness.daemon import Daemon
from tests.harness.outages import Link
from tests.harness.project import Project
from tests.harness.waiting import eventually
from workerd.ledger.job_reading import FULL_SECONDS

from .faults.shared import Case, case, daemon, moment, project

__all__ = ["case", "daemon", "project"]
pytestmark = [pytest.mark.slow, pytest.mark.backends("postgres-psycopg2", "mysql-mysqlclient")]
OUTAGE_S = float(os.environ.get("WORKERD_TEST_OUTAGE_SECONDS", "5"))
KILLS = 50
SOON_S = 5.0
"""On a busy machine, too; who waited for the database would take longer."""
COMMANDS_WITHIN_S = 60.0
"""Three commands, of which each loads Django: a second or two of processor time, and longer on a busy machine."""


@pytest.fixture(scope="module", autouse=True)
def link(project: Project, databases: Databases) -> Iterator[Link]:
    """Between the daemon's processes and the database; put in place before the daemon starts."""
    options = {} if databases.backend.vendor == "postgresql" else {"read_timeout": "4"}
    with Link.open(project, databases, **options) as link:
        project.add_job("killed", "idle", backoff_initial=0)
        yield link


@pytest.fixture
def position(daemon: Daemon, link: Link) -> Iterator[int]:
    """The position of the daemon's log, with the database reached and ``killed`` running; ends the outage of a test."""
    eventually(lambda: daemon.picture()["daemon"]["database"]["reachable"], 60, "the database")
    daemon.wait_state("killed", "RUNNING")
    yield daemon.log.position
    link.proxy.heal()


def test_restarts_are_as_quick_in_an_outage_and_every_run_is_in_the_table_after_it(
    project: Project, daemon: Daemon, link: Link, position: int
) -> None:
    """50 kills of a job with ``backoff_initial`` 0, all at the same pace as with the database there."""
    usual = [_kill_and_time(daemon) for _ in range(15)]
    link.proxy.refuse()
    daemon.wait_event("ledger.lost", since=position, within=30)
    began = time.monotonic()

    took = []
    for number in range(KILLS):
        took.append(_kill_and_time(daemon))
        _wait_until(began + OUTAGE_S * (number + 1) / KILLS)
    assert daemon.picture()["daemon"]["database"]["reachable"] is False
    eventually(lambda: daemon.picture()["daemon"]["waiting"] >= KILLS, 30, "a count of what waits for the database")
    link.proxy.heal()

    recovered = daemon.wait_event("ledger.recovered", since=position, within=30)
    assert recovered["outage_s"] >= OUTAGE_S
    assert recovered["caught_up"] >= KILLS
    runs = {event["run"] for event in daemon.events("child.exited", since=position, job="killed", signal="SIGKILL")}
    assert len(runs) == 15 + KILLS
    ended = project.runs.filter(pk__in=runs, outcome="crashed", signal="SIGKILL").exclude(ended=None)
    eventually(lambda: ended.count() == len(runs), 30, "every run in the table")
    eventually(lambda: daemon.picture()["daemon"]["waiting"] == 0, 30, "nothing that waits any more")
    lived = {event["run"] for event in daemon.events("child.born", job="killed")}
    eventually(lambda: project.runs.filter(pk__in=lived).count() == len(lived), 30, "a row of every run")
    assert len(daemon.events("ledger.lost", since=position)) == 1
    assert len(daemon.events("ledger.recovered", since=position)) == 1
    assert statistics.median(took) < 2 * statistics.median(usual) + 0.5, (took, usual)


@pytest.mark.parametrize("outage", ["refused", "too many connections", "read-only"])
def test_an_outage_is_said_once_and_delays_nothing(
    project: Project, daemon: Daemon, link: Link, position: int, outage: str
) -> None:
    reason, begin, end = _outages(link)[outage]
    begin()
    try:
        lost = daemon.wait_event("ledger.lost", since=position, within=30)
        assert reason in lost["reason"]
        assert re.search(r"\): \w[^;]+$", lost["reason"]), "no remedy"
        run = _assert_supervision_goes_on(daemon)
    finally:
        end()

    daemon.wait_event("ledger.recovered", since=position, within=30)
    eventually(lambda: project.runs.filter(pk=run).exclude(ended=None).exists(), 30, "the run's end in the table")
    assert len(daemon.events("ledger.lost", since=position)) == 1
    assert len(daemon.events("ledger.recovered", since=position)) == 1
    assert daemon.faults(since=position) == []


def test_a_server_that_falls_silent_holds_up_the_ledger_alone(
    project: Project, daemon: Daemon, link: Link, position: int
) -> None:
    """Established connections say nothing, new ones are taken and say nothing: the ledger gives up, or is given up."""
    link.proxy.silence()
    try:
        eventually(lambda: time.time() - daemon.slot("workerd.ledger")["last_beat"] > 1, what="a ledger that waits")
        run = _assert_supervision_goes_on(daemon)
        eventually(lambda: not daemon.picture()["daemon"]["unjournaled"], 30, "all of it in the journal nevertheless")
        _assert_the_command_answers(project, daemon)
        daemon.wait_event("ledger.lost", since=position, within=50)
        eventually(lambda: daemon.picture()["daemon"]["waiting"] > 0, what="a count of what waits for the database")
        shown = _assert_the_command_answers(project, daemon)
        out = r"database: OUT for [0-9]+ s; it is tried again, running jobs go on"
        assert re.search(rf"{out}; [1-9][0-9]* records? (is|are) waiting\n  \S", shown)
        second = _assert_supervision_goes_on(daemon)
    finally:
        link.proxy.heal()

    daemon.wait_event("ledger.recovered", since=position, within=60)
    _wait_for_ends(project, run, second)
    assert len(daemon.events("ledger.lost", since=position)) == 1
    assert len(daemon.events("ledger.recovered", since=position)) == 1


def test_a_lock_in_the_way_delays_the_table_and_nothing_else(
    project: Project, daemon: Daemon, link: Link, position: int
) -> None:
    with _locked(link, "workerd_run"):
        run = _assert_supervision_goes_on(daemon)
        second = _assert_supervision_goes_on(daemon)

    _wait_for_ends(project, run, second, within=30)
    assert daemon.events("ledger.lost", since=position) == []


@pytest.mark.parametrize("table", ["workerd_run", "workerd_job"])
def test_a_lock_that_never_comes_is_an_outage_of_the_ledger_alone(
    project: Project, daemon: Daemon, link: Link, position: int, table: str
) -> None:
    """The server gives up each try, so that no session of an earlier one waits on; who holds the lock is said."""
    with _locked(link, table) as holder:
        run = _assert_supervision_goes_on(daemon)
        # MariaDB says without a lock that no job row has changed; all of them are read once a minute all the same.
        lost = daemon.wait_event("ledger.lost", since=position, within=FULL_SECONDS + 60)
        second = _assert_supervision_goes_on(daemon)
        eventually(lambda: not daemon.picture()["daemon"]["unjournaled"], 30, "all of it in the journal")
        eventually(lambda: link.count_sessions("workerd.ledger") <= 1, what="the end of the sessions of earlier tries")
        assert "is locked by another transaction" in lost["reason"]
        if link.is_postgresql:
            assert f'of user "{holder}"' in lost["reason"]

    daemon.wait_event("ledger.recovered", since=position, within=60)
    _wait_for_ends(project, run, second)
    assert len(daemon.events("ledger.lost", since=position)) == 1
    assert len(daemon.events("ledger.recovered", since=position)) == 1


def test_a_ledger_killed_in_an_outage_leaves_the_recovery_to_the_next(
    project: Project, daemon: Daemon, link: Link, position: int
) -> None:
    link.proxy.refuse()
    daemon.wait_event("ledger.lost", since=position, within=30)
    run = _assert_supervision_goes_on(daemon)
    first = daemon.slot("workerd.ledger")["pid"]
    link.proxy.heal()
    os.kill(first, signal.SIGKILL)

    daemon.wait_event("ledger.recovered", since=position, within=30)
    eventually(lambda: project.runs.filter(pk=run).exclude(ended=None).exists(), 30, "the run's end in the table")
    assert len(daemon.events("ledger.lost", since=position)) == 1
    assert len(daemon.events("ledger.recovered", since=position)) == 1


def test_children_that_miss_the_database_wait_uncounted_and_come_back_with_it(
    daemon: Daemon, link: Link, case: Case, position: int
) -> None:
    """With ``max_restarts`` 0 the first counted failure would park."""
    case.start("ask_for_ever", restart="always", max_restarts=0, backoff_initial=20, backoff_max=60)
    daemon.wait_state(case.name, "RUNNING")
    link.proxy.refuse()
    daemon.wait_event("ledger.lost", since=position, within=30)

    waiting = daemon.wait_state(case.name, "WAITING", within=30)
    assert waiting["reason"] == "the database is unreachable"
    link.proxy.heal()
    recovered = daemon.wait_event("ledger.recovered", since=position, within=30)

    born = daemon.wait_event("child.born", since=daemon.events().index(recovered), job=case.name)
    assert moment(born) - moment(recovered) < 1.0 + SOON_S, "long before its own delay is over"
    assert daemon.events("child.parked", since=position) == []


@pytest.mark.backends("postgres-psycopg2")
def test_a_disk_without_room_for_the_journal_is_said_and_supervision_goes_on(
    project: Project, daemon: Daemon, link: Link, position: int
) -> None:
    """The database is out as well: nothing but memory is left, and nothing is lost of it."""
    import resource

    link.proxy.refuse()
    daemon.wait_event("ledger.lost", since=position, within=30)
    pid = daemon.slot("workerd.ledger")["pid"]
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (1024, before[1]))
    runs = [_assert_supervision_goes_on(daemon) for _ in range(3)]
    daemon.wait_event("journal.unwritable", since=position)
    assert daemon.slot("workerd.ledger")["pid"] == pid
    link.proxy.heal()
    resource.prlimit(pid, resource.RLIMIT_FSIZE, before)

    daemon.wait_event("ledger.recovered", since=position, within=30)
    ended = project.runs.filter(pk__in=runs).exclude(ended=None)
    eventually(lambda: ended.count() == len(runs), 30, "the ends of the runs")
    daemon.wait_event("journal.restored", since=position, within=30)


@pytest.mark.backends("postgres-psycopg2")
def test_a_daemon_stopped_while_a_silent_server_holds_its_ledger_loses_no_end(
    project: Project, daemon: Daemon, link: Link, position: int
) -> None:
    """Nobody waits for it: what it could not write is in its journal, and the next daemon's writes that."""
    link.proxy.silence()
    eventually(lambda: time.time() - daemon.slot("workerd.ledger")["last_beat"] > 1, what="a ledger that waits")
    first = _assert_supervision_goes_on(daemon)
    second = str(daemon.wait_state("killed", "RUNNING")["run"])

    daemon.stop(within=30)
    link.proxy.heal()
    daemon.start()

    ended = project.runs.filter(pk__in=[first, second]).exclude(ended=None)
    eventually(lambda: ended.count() == 2, 30, "the ends of both runs")
    assert project.runs.get(pk=first).outcome == "crashed"
    assert project.runs.get(pk=second).outcome == "stopped"


def _assert_the_command_answers(project: Project, daemon: Daemon) -> str:
    """``status`` and an order for everyone; whoever asked the database now would wait for as long as it is silent."""
    before = daemon.wait_state("killed", "RUNNING")["pid"]
    began = time.monotonic()
    people, programs = (project.manage("workerd", "status", *words) for words in ((), ("--json",)))
    ordered = project.manage("workerd", "restart", "--all")
    took = time.monotonic() - began

    assert [done.returncode for done in (people, programs, ordered)] == [0, 0, 0], ordered.stderr
    assert {slot["name"] for slot in json.loads(programs.stdout)["slots"]} >= {"killed", "workerd.ledger"}
    after = daemon.slot("killed")["pid"]
    assert after != before
    assert f"killed: RUNNING, pid {after}" in ordered.stdout
    assert took < COMMANDS_WITHIN_S
    return people.stdout


def _outages(link: Link) -> dict[str, tuple[str, Callable[[], object], Callable[[], object]]]:
    """Return for each kind what is said of it, how it begins and how it ends."""

    def forbid() -> None:
        link.forbid_writing(True)
        link.end_sessions()

    def allow() -> None:
        link.forbid_writing(False)
        link.end_sessions()

    return {
        "refused": ("does not answer", link.proxy.refuse, link.proxy.heal),
        "too many connections": ("has no free session", link.take_all_sessions, link.free_sessions),
        "read-only": ("is read-only" if link.is_postgresql else "does not let its user read and write", forbid, allow),
    }


def _assert_supervision_goes_on(daemon: Daemon) -> str:
    """A killed child is replaced soon, and the daemon answers; return the run that ended."""
    run = str(daemon.wait_state("killed", "RUNNING")["run"])
    assert _kill_and_time(daemon) < SOON_S
    asked = time.monotonic()
    assert daemon.picture()["daemon"]["ready"]
    assert time.monotonic() - asked < SOON_S
    return run


def _wait_until(due: float) -> None:
    eventually(lambda: time.monotonic() >= due, OUTAGE_S, "the next kill")


def _wait_for_ends(project: Project, *runs: str, within: float = 30.0) -> None:
    """Return when every one of the runs has its end in the table."""
    ended = project.runs.filter(pk__in=runs).exclude(ended=None)
    eventually(lambda: ended.count() == len(runs), within, "the runs' ends")


def _kill_and_time(daemon: Daemon) -> float:
    """Kill the child of the job ``killed``, and return how long it took until its successor had its licence."""
    pid = daemon.wait_state("killed", "RUNNING")["pid"]
    since, killed = daemon.log.position, time.time()
    os.kill(pid, signal.SIGKILL)
    return moment(daemon.wait_event("child.born", since=since, job="killed")) - killed


@contextmanager
def _locked(link: Link, table: str) -> Iterator[str]:
    """Keep every other session from a table; yield the user who does."""
    with link.databases.session(link.database) as cursor:
        if link.is_postgresql:
            cursor.execute("BEGIN")
            cursor.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        else:
            cursor.execute(f"LOCK TABLES {table} WRITE")
        assert link.databases.server is not None
        yield link.databases.server.address.user
        cursor.execute("ROLLBACK" if link.is_postgresql else "UNLOCK TABLES")

"""Every run is in the table once, with its end, whatever happens between children and database."""

import itertools
import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.harness.backends.backend import Databases
from tests.harness.daemon import Daemon
from tests.harness.outages import Link
from tests.harness.project import Project
from tests.harness.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.backends("postgres-psycopg2", "mysql-mysqlclient")]
RUNS = 300
SLOTS = 4


@pytest.fixture
def link(project: Project, databases: Databases) -> Iterator[Link]:
    project.extra_env["DJANGO_SETTINGS_MODULE"] = "tests.process.faults.settings"
    in_clear = {"sslmode": "disable"} if databases.backend.vendor == "postgresql" else {}
    with Link.open(project, databases, **in_clear) as link:  # so that the proxy recognises a COMMIT
        yield link


@dataclass
class DatabaseFault:
    """What happens to the ledger meanwhile, at random moments, in a thread of its own."""

    daemon: Daemon
    link: Link
    dice: random.Random
    done: dict[str, int] = field(default_factory=lambda: dict.fromkeys(("cut", "refuse", "silence", "kill"), 0))

    def __post_init__(self) -> None:
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._make, name="database fault", daemon=True)

    def begin(self) -> None:
        self.link.proxy.commit_loss = 0.3
        self._thread.start()

    def end(self) -> None:
        self._over.set()
        self._thread.join()
        self.link.proxy.heal()

    def _make(self) -> None:
        for kind in itertools.cycle(("cut", "kill", "silence", "cut", "refuse", "cut")):
            if self._over.wait(self.dice.uniform(0.05, 0.4)) and min(self.done.values()) > 0:
                return
            getattr(self, f"_{kind}")()
            self.done[kind] += 1

    def _cut(self) -> None:
        self.link.proxy.cut()

    def _refuse(self) -> None:
        self.link.proxy.refuse()
        time.sleep(self.dice.uniform(0.2, 0.8))  # how long it lasts is what is tried
        self.link.proxy.accept()

    def _silence(self) -> None:
        self.link.proxy.silence()
        time.sleep(self.dice.uniform(0.2, 0.8))  # how long it lasts is what is tried
        self.link.proxy.flow()

    def _kill(self) -> None:
        if pid := self.daemon.slot("workerd.ledger")["pid"]:
            os.kill(pid, signal.SIGKILL)


def test_each_run_is_one_row_with_one_end(project: Project, daemon: Daemon, link: Link, tmp_path: Path) -> None:
    """Cuts at random, commits whose answer is lost, a ledger killed again and again, a daemon stopped in an outage."""
    seed = random.randrange(10_000)
    dice = random.Random(seed)
    target = "tests.process.faults.jobs.write_run"
    project.add_job("write-run", target=target, kwargs={"folder": str(tmp_path)}, processes=SLOTS, backoff_initial=0)
    daemon.start()
    fault = DatabaseFault(daemon, link, random.Random(seed))
    fault.begin()

    killed = _kill_until(tmp_path, RUNS // 2, dice)
    _wait_until_all_have_written(daemon, tmp_path, killed)
    fault.end()
    link.proxy.refuse()
    eventually(lambda: daemon.picture()["daemon"]["database"]["reachable"] is False, 30, "the outage")
    killed = _kill_until(tmp_path, RUNS // 2 + 20, dice)
    _wait_until_all_have_written(daemon, tmp_path, killed)
    daemon.stop()
    link.proxy.heal()
    daemon.start()
    fault = DatabaseFault(daemon, link, random.Random(seed + 1))
    fault.begin()
    killed = _kill_until(tmp_path, RUNS, dice)
    _wait_until_all_have_written(daemon, tmp_path, killed)
    fault.end()

    written = [line.run for line in read_lines(tmp_path)]
    assert len(written) == len(set(written)) >= RUNS, f"seed {seed}"

    def all_are_written() -> bool:
        rows = {str(pk) for pk in project.runs.values_list("pk", flat=True)}
        assert rows == set(written), f"seed {seed}"
        return True

    eventually(all_are_written, 30, "each run in the table, and no other")
    daemon.stop()
    assert {str(pk) for pk in project.runs.values_list("pk", flat=True)} == set(written), f"seed {seed}"
    assert set(project.runs.values_list("outcome", flat=True)) == {"crashed", "stopped"}, f"seed {seed}"
    assert not project.runs.filter(ended=None).exists()
    assert link.proxy.commits_lost > 0


def test_a_record_that_the_database_refuses_is_set_aside_and_blocks_none(
    project: Project, daemon: Daemon, link: Link
) -> None:
    """Text that no server takes is cleaned, a deleted job leaves its runs, what is refused all the same goes."""
    link.execute("ALTER TABLE workerd_run ADD CONSTRAINT no_poison CHECK (note NOT LIKE 'poison%')")
    daemon.start()
    position = daemon.log.position
    jobs = "tests.process.faults.jobs"
    project.add_job("poison", target=f"{jobs}.end_with_note", kwargs={"note": "poison"}, restart="never")
    aside = daemon.wait_event("ledger.set_aside", since=position)
    project.add_job("odd", target=f"{jobs}.raise_odd_text", restart="never")
    project.add_job("deleted", target="tests.process.bad_jobs.jobs.idle")
    deleted = daemon.wait_state("deleted", "RUNNING")["run"]
    project.jobs.filter(name="deleted").delete()

    odd = daemon.wait_event("child.exited", since=position, job="odd")
    rows = project.runs.filter(pk__in=[odd["run"], deleted]).exclude(ended=None)
    eventually(lambda: rows.count() == 2, 30, "the ends of the others")

    assert (aside["kind"], aside["level"]) == ("run", "error")
    assert aside["key"] == daemon.wait_event("child.born", since=position, job="poison")["run"]
    assert "IntegrityError" in aside["reason"]
    row = project.runs.get(pk=odd["run"])
    assert row.exception == "ValueError: NUL \N{REPLACEMENT CHARACTER} and half a pair \N{REPLACEMENT CHARACTER}"
    assert project.runs.get(pk=deleted).outcome == "stopped"
    assert daemon.events("ledger.lost", since=position) == []


@dataclass(frozen=True)
class Line:
    """What a child wrote: its run and its pid."""

    run: str
    pid: int


def read_lines(folder: Path) -> list[Line]:
    """Return what the children have written so far."""
    lines = [line for path in folder.glob("write-run.*") for line in path.read_text().splitlines()]
    return [Line(run, int(pid)) for run, pid in map(str.split, lines)]


def _kill_until(folder: Path, count: int, dice: random.Random) -> set[str]:
    """Kill children that have written their line until there are ``count`` lines; return the runs that were killed."""
    killed: set[str] = set()
    deadline = time.monotonic() + 300
    while len(lines := read_lines(folder)) < count:
        assert time.monotonic() < deadline, f"{len(lines)} runs of {count}"
        living = [line for line in lines if line.run not in killed and Path(f"/proc/{line.pid}").exists()]
        if living:
            child = dice.choice(living)
            killed.add(child.run)
            os.kill(child.pid, signal.SIGKILL)
        time.sleep(0.01)  # a pace, not a wait
    return killed


def _wait_until_all_have_written(daemon: Daemon, folder: Path, killed: set[str]) -> None:
    """Wait until each slot's child has written its line and is none whose end the daemon has yet to see.

    A stop that came first would keep it from writing.
    """

    def all_have() -> bool:
        runs = {line.run for line in read_lines(folder)} - killed
        slots = [slot for slot in daemon.picture()["slots"] if slot["job_name"] == "write-run"]
        return len(slots) == SLOTS and all(slot["run"] in runs for slot in slots)

    eventually(all_have, 30, "a line of every child")

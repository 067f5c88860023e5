"""What is known of births from both sides: what the children report, and what the daemon logs."""

import collections
from dataclasses import dataclass
from pathlib import Path

from tests.harness.chaos import orphans_of
from tests.harness.daemon import Daemon
from tests.harness.waiting import eventually

WAYS = {"one fork": [], "two forks": ["tests.process.probes.thread"]}
"""Both ways of a birth, each with what PRELOAD names for it."""


@dataclass(frozen=True)
class ChildReport:
    """What a child reported: its run, its slot, its pid and how it would end."""

    run: str
    slot: str
    pid: int
    end: str


def read_reports(folder: Path) -> list[ChildReport]:
    """Return what the daemon's children have reported so far."""
    path = folder / "reports"
    lines = path.read_text().splitlines() if path.exists() else []
    words = [line.split(maxsplit=4) for line in lines]
    return [ChildReport(run, f"{job}:{index}", int(pid), end) for run, job, index, pid, end in words]


def assert_way(daemon: Daemon, way: str) -> None:
    """The daemon's children have been born in this way."""
    said = [event["reason"] for event in daemon.events("birth.two_forks")]
    assert set(said) == ({"another thread runs in the forkserver"} if way == "two forks" else set())


def assert_births_have_owners(daemon: Daemon, folder: Path) -> None:
    """No slot has two children, the daemon knows every child, and it logs each death once."""
    doubles = folder / "doubles"
    assert not doubles.exists(), doubles.read_text()
    reports = read_reports(folder)
    known = {(event["run"], event["slot"], event["pid"]) for event in daemon.events("child.born")}
    assert [report for report in reports if (report.run, report.slot, report.pid) not in known] == []
    assert len({report.run for report in reports}) == len(reports), "a run ran twice"
    deaths = collections.Counter(event["run"] for event in daemon.events("child.exited"))
    assert set(deaths.values()) <= {1}, "a death was logged twice"
    living = {slot["run"] for slot in daemon.picture()["slots"] if slot["pid"]}
    assert {run for run, _, _ in known} - set(deaths) == living
    eventually(lambda: not orphans_of(daemon), what="the end of a child that is being born")
    assert daemon.faults() == []

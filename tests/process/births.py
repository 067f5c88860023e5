"""What is known of births from both sides: what the children testify, and what the daemon says of them."""

import collections
from dataclasses import dataclass
from pathlib import Path

from tests.harness.chaos import strangers
from tests.harness.daemon import Daemon
from tests.harness.waiting import eventually


@dataclass(frozen=True)
class Testimony:
    """What a child said of itself: which run, in which slot, under which pid, and how it was to end."""

    run: str
    slot: str
    pid: int
    end: str


def read_testimonies(folder: Path) -> list[Testimony]:
    """Return what the daemon's children have said so far."""
    path = folder / "testimonies"
    lines = path.read_text().splitlines() if path.exists() else []
    words = [line.split(maxsplit=4) for line in lines]
    return [Testimony(run, f"{job}:{index}", int(pid), end) for run, job, index, pid, end in words]


def assert_births_have_owners(daemon: Daemon, folder: Path) -> None:
    """Never two children in a slot, never one that nobody knows, and each death told once."""
    doubles = folder / "doubles"
    assert not doubles.exists(), doubles.read_text()
    said = read_testimonies(folder)
    known = {(event["run"], event["slot"], event["pid"]) for event in daemon.events("child.born")}
    assert [one for one in said if (one.run, one.slot, one.pid) not in known] == []
    assert len({one.run for one in said}) == len(said), "a run ran twice"
    deaths = collections.Counter(event["run"] for event in daemon.events("child.exited"))
    assert set(deaths.values()) <= {1}, "a death was told twice"
    living = {slot["run"] for slot in daemon.picture()["slots"] if slot["pid"]}
    assert {run for run, _, _ in known} - set(deaths) == living
    eventually(lambda: not strangers(daemon), what="the end of whoever is in the middle of a birth")
    assert daemon.events("daemon.degraded") == []

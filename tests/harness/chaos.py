"""Chaos: a shop at work on two databases, a random child killed every 300 ms, and what must hold afterwards."""

import collections
import contextlib
import os
import random
import re
import signal
import time
from pathlib import Path
from typing import Any

from .daemon import Daemon
from .processes import Process
from .project import Project
from .waiting import eventually

SETTINGS, UNGUARDED = "tests.process.chaos.settings", "tests.process.chaos.unguarded_settings"
ALIASES = ["default", "second"]
BETWEEN_KILLS_S = 0.3
SPARES = 2
JOBS: dict[str, dict[str, Any]] = {
    "transfer-stock": {"target": "shop.jobs.transfer_stock", "kwargs": {"pause": 0.05}, "processes": 3},
    "place-orders": {"target": "shop.jobs.place_orders", "kwargs": {"pause": 0.1}},
    "ship-orders": {"target": "shop.jobs.ship_orders", "kwargs": {"pause": 0.1}, "processes": 2},
    "price-feed": {"target": "shop.jobs.price_feed", "kwargs": {"pause": 0.2}},
    "ask-everywhere": {"target": "tests.process.chaos.jobs.ask_everywhere", "kwargs": {"pause": 0.05}, "processes": 2},
}
SLOTS = sum(fields.get("processes", 1) for fields in JOBS.values())


def open_shop(project: Project, second: str, settings: str) -> None:
    """Give the project a second database and an open shop, with sessions left open wherever a fork could find one."""
    project.extra_env = {"DJANGO_SETTINGS_MODULE": SETTINGS, "SECOND_DATABASE_URL": second}
    done = project.manage("shell", "--no-imports", "-c", "from shop.opening import open_shop; open_shop()")
    assert done.returncode == 0, done.stderr
    project.extra_env["DJANGO_SETTINGS_MODULE"] = settings
    project.settings["BEFORE_FORK"] = ["tests.process.chaos.sessions.leave_open"]
    for name, fields in JOBS.items():
        project.add_job(name, **fields, backoff_initial=0, start_grace=0.1)


class Killer:
    """Kills random children of a daemon, the ledger and spares among them, and remembers which."""

    def __init__(self, daemon: Daemon, seed: int) -> None:
        self.daemon = daemon
        self.killed: list[int] = []
        self._random = random.Random(seed)

    def kill_children(self, kills: int) -> None:
        """Kill a random child every 300 ms; return when the daemon has taken note of the last one."""
        due = time.monotonic()
        for _ in range(kills):
            due += BETWEEN_KILLS_S
            eventually(lambda: time.monotonic() >= due, what="the next kill")  # noqa: B023 - called right here
            target = self._random.choice(eventually(self._targets, what="a child to kill"))
            self.killed.append(target.pid)
            with contextlib.suppress(ProcessLookupError):  # it has just ended by itself
                os.kill(target.pid, signal.SIGKILL)
            last = target
        eventually(lambda: not _is_there(last), within=60, what="the end of the last one killed")

    def _targets(self) -> list[Process]:
        forkserver = self.daemon.picture()["daemon"]["forkserver_pid"]
        return [child for child in children_of(self.daemon.pid) if child.pid != forkserver and not child.is_zombie]


def _is_there(process: Process) -> bool:
    """Return whether the process is not reaped yet: until then the daemon shows it as alive."""
    now = Process.look(process.pid)
    return now is not None and now.started == process.started


def wait_for_calm(daemon: Daemon, slots: int = SLOTS, within: float = 60.0) -> dict[str, Any]:
    """Return the daemon's picture when every slot runs, the spares are there, and no other child is."""
    return dict(eventually(lambda: _calm_picture(daemon, slots), within, "a calm daemon"))


def _calm_picture(daemon: Daemon, slots: int) -> dict[str, Any]:
    picture: dict[str, Any] = daemon.picture()
    running = [slot["pid"] for slot in picture["slots"] if slot["state"] == "RUNNING"]
    assert len(running) == slots + 1, [(slot["name"], slot["state"], slot["reason"]) for slot in picture["slots"]]
    children = children_of(daemon.pid)
    assert not [child for child in children if child.is_zombie], "a zombie"
    assert {*running, picture["daemon"]["forkserver_pid"]} < {child.pid for child in children}
    assert len(children) == len(running) + 1 + SPARES, [(child.pid, child.name) for child in children]
    return picture


def children_of(pid: int) -> list[Process]:
    """Return a process's children, asking the kernel for no other's: cheap enough to be asked again and again."""
    numbers = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [child for number in numbers if (child := Process.look(int(number)))]


def descriptors(pid: int) -> collections.Counter[str]:
    """Return how many descriptors of each kind a process has, once that has stood still for ten looks.

    Those by which the daemon samples living processes are none of them: they come with the first sample.
    """
    looks: collections.deque[collections.Counter[str]] = collections.deque(maxlen=10)

    def stand_still() -> bool:
        process = Process.look(pid)
        assert process is not None, f"no process {pid}"
        kept = (what for what in process.descriptors().values() if not _is_sampled(what))
        looks.append(collections.Counter(re.sub(r"\[\d+\]", "", what) for what in kept))
        return len(looks) == looks.maxlen and all(look == looks[0] for look in looks)

    eventually(stand_still, 30, f"an unchanging set of descriptors of {pid}")
    return looks[0]


def _is_sampled(what: str) -> bool:
    found = re.fullmatch(r"/proc/(\d+)/stat", what)
    return found is not None and Process.look(int(found[1])) is not None


def assert_descriptors(pid: int, wanted: collections.Counter[str]) -> None:
    """Assert that a process comes to have these descriptors: it may have yet to see that a peer has closed one."""

    def are_there() -> None:
        found = descriptors(pid)
        assert found == wanted, (found - wanted, wanted - found)

    eventually(are_there, what=f"the descriptors of {pid}")


def orphans_of(daemon: Daemon) -> list[str]:
    """Return the project's processes that are neither the daemon nor a child of it."""
    found = daemon.tree.look(daemon.pid)
    orphans = [process for process in found if daemon.pid not in (process.pid, process.parent)]
    return [f"{orphan.pid} {orphan.name} of {orphan.parent}" for orphan in orphans]


def count_closes(daemon: Daemon) -> collections.Counter[tuple[str, ...]]:
    """Return, for the forks prepared, which aliases were closed before each; and how often it was so."""
    counts: collections.Counter[tuple[str, ...]] = collections.Counter()
    closed: dict[int, list[str]] = collections.defaultdict(list)
    for event in daemon.events():
        if event["event"] == "connection.closed" and event.get("reason") == "before_fork":
            closed[event["pid"]].append(event["alias"])
        elif event["event"] == "fork.prepared":
            counts[tuple(sorted(closed.pop(event["pid"], [])))] += 1
    assert not closed, f"closed before no fork: {dict(closed)}"
    return counts


def verify_books(project: Project) -> list[str]:
    """Return what does not hold of the shop's books, in a process of its own."""
    script = "from shop.books import verify_books; print(*verify_books(), sep='\\n')"
    done = project.manage("shell", "--no-imports", "-c", script, env={"DJANGO_SETTINGS_MODULE": SETTINGS})
    assert done.returncode == 0, done.stderr
    return [line for line in done.stdout.splitlines() if line]

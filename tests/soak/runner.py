"""What a soak runs on: a server of its own, a database behind a proxy, the shop's rows, and the daemon."""

import itertools
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from tests.harness.backends.backend import BACKENDS, Databases
from tests.harness.backends.server import Address, GivenServer, Server
from tests.harness.daemon import FAULTS, Daemon
from tests.harness.log import Log
from tests.harness.project import Project
from tests.harness.proxy import Proxy

from .clock import WallClock
from .disk import Disk
from .evidence import FOLDER
from .group import Group
from .log import FileLog

SETTINGS = "tests.soak.settings"
WATCHED: dict[str, Any] = {
    "backoff_initial": 0,
    "start_grace": 0.2,
    "start_timeout": 10,
    "heartbeat_timeout": 4,
    "stop_timeout": 1.5,
}
"""Policy of every job here: always at once, hung after four seconds."""
JOBS: dict[str, dict[str, Any]] = {
    "transfer-stock": {"target": "shop.jobs.transfer_stock", "kwargs": {"pause": 0.2}, "processes": 3},
    "place-orders": {"target": "shop.jobs.place_orders", "kwargs": {"pause": 0.5}},
    "ship-orders": {"target": "shop.jobs.ship_orders", "kwargs": {"pause": 0.5}, "processes": 2},
    "price-feed": {"target": "shop.jobs.price_feed", "kwargs": {"pause": 0.5}},
    "audit-books": {"target": "shop.jobs.audit_books", "kwargs": {"pause": 5}, "heartbeat_timeout": 20},
    "misbehaving": {"target": "tests.soak.jobs.misbehave", "processes": 4, "max_memory": 60},
}


class PatientDaemon(Daemon):
    """A daemon that another fault may have stopped for some seconds while it is asked."""

    def ask(self, request: dict[str, Any], within: float = 20.0) -> Any:
        """As ``Daemon.ask``."""
        return super().ask(request, within)


@dataclass
class Soak:
    """One soak; ``excuses`` are the times in which some slots need not be up."""

    folder: Path
    databases: Databases
    project: Project
    proxy: Proxy
    disk: Disk
    group: Group
    clock: WallClock
    excuses: list[tuple[float, float, set[str] | None]] = field(default_factory=list)
    wanted: dict[str, int] = field(default_factory=dict)
    alone: threading.Lock = field(default_factory=threading.Lock)
    """Held while a daemon starts, and while the machine lacks something that a start needs."""
    rows: threading.Lock = field(default_factory=threading.Lock)
    """Held while a row and what is wanted of it change."""
    serving: threading.Lock = field(default_factory=threading.Lock)
    """Held while the server is asked for something, or restarts."""
    lives: int = 0
    """Odd while one daemon has been killed and the next is not ready yet."""
    spare_daemon: bool = False
    """Whether the daemon is killed no more, once each way of it had its turn."""
    may_be_lost: set[str] = field(default_factory=set)
    """The runs of which a killed daemon's last words may not have reached a ledger: there may have been none then."""

    def __post_init__(self) -> None:
        self._numbers = itertools.count(1)
        self.logs: list[Log] = []
        self.daemon = self.new_daemon()

    def new_daemon(self) -> Daemon:
        """Return a daemon that is not started, with a log of its own."""

        def new_log() -> Log:
            self.logs.append(FileLog(self.disk.folder / f"log.{next(self._numbers)}"))
            return self.logs[-1]

        return PatientDaemon(self.project, new_log)

    def start(self, daemon: Daemon, within: float = 0.0) -> None:
        """Start it in the group; wait until it is ready, if there is time for that."""
        daemon.start(ready=False)
        self.group.take_in(daemon.pid)
        if within:
            daemon.wait_event("daemon.ready", within=within)

    def heal(self) -> None:
        """Have link, disk, group and clock be as they were."""
        self.proxy.heal()
        self.disk.make_room()
        self.group.unlimit()
        self.clock.set_ahead(0)

    def unwritten(self) -> list[str]:
        """Return why the database has not all records yet."""
        daemon = self.daemon.picture()["daemon"]
        left = {name: daemon[name] for name in ("unjournaled", "waiting", "set_aside") if daemon[name]}
        found = [f"records that the database does not have: {left}"] if left else []
        return found if daemon["database"]["reachable"] else [*found, f"the database: {daemon['database']}"]

    def write_logs(self) -> None:
        """Leave the logs of all daemons in the folder."""
        for number, log in enumerate(self.logs):
            (self.folder / f"log.{number}").write_text(log.text())

    def log_troubles(self) -> list[str]:
        """Return what is wrong with the logs: lines that are no event, and events that tell of a fault of workerd's.

        A disk that is full and processes that cannot be started are of the soak's making.
        """
        found = [f"no event: {line[:200]!r}" for log in self.logs for line in log.foreign_lines]
        ours = ("journal.", "birth.", "forkserver.failed")
        faults = [event for log in self.logs for event in log.events() if event["event"] in FAULTS]
        return found + [
            f"the daemon said {event['event']}: {event['reason']}"
            for event in faults
            if not event["event"].startswith(ours)
        ]

    @property
    def server(self) -> Server | None:
        """The server, where it is ours to restart."""
        return self.databases.server if isinstance(self.databases.server, Server) else None

    def slots(self) -> Iterator[tuple[str, int]]:
        """Every slot that the rows want now."""
        return ((job, index) for job, count in tuple(self.wanted.items()) for index in range(count))

    @contextmanager
    def excuse(self, after_s: float, jobs: set[str] | None = None) -> Iterator[None]:
        """Let these jobs' slots (all, if none are named) be down in this time, and for ``after_s`` beyond it."""
        index = len(self.excuses)
        began = time.monotonic()
        self.excuses.append((began, float("inf"), jobs))
        try:
            yield
        finally:
            self.excuses[index] = (began, time.monotonic() + after_s, jobs)

    def excused(self, job: str, moment: float) -> bool:
        """Return whether a slot of ``job`` may be down at ``moment``."""
        return any(begin <= moment <= end and (jobs is None or job in jobs) for begin, end, jobs in self.excuses)

    def edit(self, job: str, **columns: Any) -> None:
        """Change a row, over a connection that a restart of the server may have broken."""
        self.write(lambda: self.project.edit_job(job, **columns))

    def put_rows_back(self) -> None:
        """Want what was wanted at the beginning, so that sizes can be compared."""
        for job, fields in JOBS.items():
            self.edit(job, processes=fields.get("processes", 1))
            self.wanted[job] = fields.get("processes", 1)

    def write(self, work: Callable[[], object]) -> None:
        """Do something to rows, again and again while the server is away."""
        from django.db import Error

        deadline = time.monotonic() + 60
        while True:
            try:
                work()
                return
            except Error:
                self.project.disconnect()
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)


def open_soak(url: str, folder: Path, jobs: Mapping[str, dict[str, Any]] = JOBS) -> Soak:
    """Start the server, make the database, fill the shop; the daemon is not started yet.

    A URL without a host has a throw-away server started; one with a host names a server that is never restarted.
    """
    scheme = urlsplit(url).scheme
    networked = [backend for backend in BACKENDS.values() if backend.vendor != "sqlite"]
    backend = next((backend for backend in networked if backend.scheme == scheme), None)
    if backend is None:
        raise SystemExit(f"--database begins with one of {', '.join(backend.scheme for backend in networked)}")
    databases = Databases(backend, folder)
    if urlsplit(url).hostname:
        databases.server = GivenServer(Address.from_url(url, 5432 if backend.vendor == "postgresql" else 3306))
    assert databases.server is not None
    databases.server.ensure_started()
    name = f"workerd_soak_{os.getpid()}"
    databases.create(name)
    at = databases.server.address
    proxy = Proxy(at.host, at.port)
    project = Project(folder, databases, name)
    clear = {"sslmode": "disable"} if backend.vendor == "postgresql" else {}
    parts = urlsplit(databases.url(name, clear))
    account = parts.netloc.rpartition("@")[0]
    project.url = urlunsplit((parts.scheme, f"{account}@127.0.0.1:{proxy.port}", parts.path, parts.query, ""))
    disk, clock = Disk(folder / "disk"), WallClock(folder)
    project.state_dir = disk.folder / "state"
    project.extra_env = {"DJANGO_SETTINGS_MODULE": SETTINGS, FOLDER: str(folder), **clock.env}
    soak = Soak(folder, databases, project, proxy, disk, Group(), clock)
    _fill(soak, jobs)
    return soak


def _fill(soak: Soak, jobs: Mapping[str, dict[str, Any]]) -> None:
    for words in (
        ("migrate", "--verbosity=0"),
        ("shell", "--no-imports", "-c", "from shop.opening import *; open_shop()"),
    ):
        done = soak.project.manage(*words)
        if done.returncode:
            raise SystemExit(done.stderr)
    for name, fields in jobs.items():
        soak.project.add_job(name, **(WATCHED | fields))
        if "schedule" not in fields:
            soak.wanted[name] = fields.get("processes", 1)


def close_soak(soak: Soak) -> None:
    """End the daemon, and remove everything that was made."""
    soak.daemon.clean_up()
    soak.group.close()
    soak.disk.close()
    soak.proxy.close()
    soak.project.close()
    soak.databases.close()

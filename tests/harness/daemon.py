"""The real daemon, started by the real command, as the tests see it."""

import fcntl
import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.harness.backends.server import ending_with_us
from workerd.wire.asking import ask

from .log import Event, Log
from .processes import Process, ProcessTree
from .project import Project
from .waiting import WITHIN_S, eventually

DONE, PARKED = 0, 1
READY_WITHIN_S = STOP_WITHIN_S = 30.0
GONE_WITHIN_S = 10.0
"""The end of a process takes the kernel a moment, and a busy machine many."""
FAULTS = frozenset(
    {
        "daemon.degraded",
        "protocol.violated",
        "records.lost",
        "state_dir.lost",
        "forkserver.failed",
        "birth.failed",
        "birth.overdue",
        "journal.unwritable",
        "journal.replaced",
        "journal.trimmed",
    }
)
"""Events that no healthy daemon logs, whatever its jobs, its operators and its database do."""


class Daemon:
    """``manage.py workerd run`` of a project; may be started again after it ended."""

    def __init__(self, project: Project, new_log: Callable[[], Log] = Log) -> None:
        self.project = project
        self.log = new_log()
        self._new_log = new_log
        self.tree = ProcessTree(project.mark)
        self.stderr_path = project.folder / "stderr"
        self._process: subprocess.Popen[str] | None = None

    # its life

    def start(self, *words: str, ready: bool = True, within: float = READY_WITHIN_S, cwd: Path | None = None) -> None:
        """Start it, with a fresh log, and return when it is ready (or at once, with ``ready=False``)."""
        if self.is_running:
            raise RuntimeError("the daemon runs already")
        self.log = self._new_log()
        with self.stderr_path.open("ab") as stderr:
            self._process = subprocess.Popen(
                ending_with_us([*self.project.command, "workerd", "run", *words]),
                stdin=subprocess.DEVNULL,
                stdout=self.log.target(),
                stderr=stderr,
                text=True,
                errors="replace",
                env=self.project.env,
                cwd=cwd or self.project.folder,
                start_new_session=True,
            )
        self.log.begin(self._process)
        if ready:
            eventually(self._is_ready_or_gone, within, "daemon.ready")

    def stop(self, within: float = STOP_WITHIN_S, number: int = signal.SIGTERM) -> None:
        """Ask it to stop; it must end with exit code 0 and leave nothing behind."""
        self.tree.look(self.pid)
        self.signal(number)
        code = self.wait(within)
        assert code == DONE, f"the daemon ended with {code}"
        self.assert_clean_exit()

    def kill(self) -> None:
        """Kill it, and return when it is reaped; its tree has to end by itself."""
        self.tree.look(self.pid)
        self.signal(signal.SIGKILL)
        self.wait()

    def signal(self, number: int) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    def wait(self, within: float = STOP_WITHIN_S) -> int:
        """Return its exit code, negative for a signal, when it has ended."""
        assert self._process is not None, "the daemon was never started"
        return self._process.wait(within)

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        assert self._process is not None, "the daemon was never started"
        return self._process.pid

    @property
    def stderr(self) -> str:
        """What it wrote to stderr, in all its lives."""
        return self.stderr_path.read_text(errors="replace") if self.stderr_path.exists() else ""

    # what it says

    def events(self, name: str = "", /, *, since: int = 0, **match: Any) -> list[Event]:
        """As ``Log.events``."""
        return self.log.events(name, since=since, **match)

    def faults(self, *, since: int = 0) -> list[Event]:
        """Return the events that tell of a fault of workerd's own, or of what no test of a healthy daemon expects."""
        return [event for event in self.events(since=since) if event.get("event") in FAULTS]

    def wait_event(self, name: str, /, *, within: float = WITHIN_S, since: int = 0, **match: Any) -> Event:
        """As ``Log.wait_event``."""
        return self.log.wait_event(name, within=within, since=since, **match)

    def wait_events(
        self, name: str, count: int, /, *, within: float = WITHIN_S, since: int = 0, **match: Any
    ) -> list[Event]:
        """As ``Log.wait_events``."""
        return self.log.wait_events(name, count, within=within, since=since, **match)

    def status(self) -> Any:
        """Return what ``workerd status --json`` prints; it ends with 1 while anything is parked."""
        done = self.project.manage("workerd", "status", "--json")
        assert done.returncode in (DONE, PARKED), f"status ended with {done.returncode}: {done.stderr}"
        return json.loads(done.stdout)

    def ask(self, request: dict[str, Any], within: float = WITHIN_S) -> Any:
        """Send one request over the control socket and return the answer, without the price of a ``manage.py``."""
        return ask(self.project.state_dir, self.project.name, request, within)

    def picture(self) -> Any:
        """Return what ``status`` shows, straight from the control socket."""
        return self.ask({"verb": "status"})

    def slot(self, name: str) -> dict[str, Any]:
        """Return the live picture of one slot, empty if there is none of that name."""
        return next((slot for slot in self.picture()["slots"] if slot["name"] == name), {})

    def wait_state(self, name: str, state: str, within: float = WITHIN_S) -> dict[str, Any]:
        """Return the slot's picture as soon as it is in ``state``."""
        seen: dict[str, Any] = {}

        def is_there() -> bool:
            seen.update(self.slot(name))
            assert seen.get("state") == state, f"{name} is {seen.get('state')}: {seen.get('reason')}"
            return True

        eventually(is_there, within, f"{name} {state}")
        return seen

    # what is there

    def children(self) -> list[Process]:
        """The daemon's own children now: forkserver, ledger, jobs' children, spares."""
        found = self.tree.look(self.pid)
        return sorted((process for process in found if process.parent == self.pid), key=lambda child: child.pid)

    def zombies(self) -> list[Process]:
        """Processes of its tree that have ended and that nobody has reaped."""
        return [process for process in self.tree.look(self.pid) if process.is_zombie]

    def child_pid(self, slot: str, within: float = WITHIN_S) -> int:
        """Return the pid of the child that is in ``slot`` now, waiting for one."""
        return eventually(lambda: self._pid_in(slot), within, f"a child in {slot}")

    def assert_clean_exit(self, within: float = GONE_WITHIN_S) -> None:
        """Assert that no process of its tree is left, its log has ended and its lock is free."""
        assert not self.is_running, "the daemon still runs"
        self.tree.remember(self._pids_in_log())
        self.tree.assert_gone(within)
        self.log.wait_for_end(within)
        self.assert_lock_is_free()

    def assert_lock_is_free(self) -> None:
        """Assert that another daemon could start."""
        for path in self.project.state_dir.glob("*.lock"):
            with path.open("rb+") as file:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def clean_up(self) -> None:
        """End what a failed test left running."""
        if self._process is not None and self._process.poll() is None:
            self.tree.look(self.pid)
            self._process.kill()
            self._process.wait()
        self.tree.kill()

    def report(self) -> str:
        """What a failed test shows: the log, stderr and where the folder is."""
        parts = [f"folder: {self.project.folder}", self.log.text()]
        if self.stderr:
            parts += ["--- stderr", self.stderr]
        return "\n".join(parts)

    def _is_ready_or_gone(self) -> bool:
        if not self.is_running:
            self.log.wait_for_end()
            code = self._process.returncode if self._process else None
            raise RuntimeError(f"the daemon ended with {code}: {self.stderr or self.log.text()}")
        return bool(self.log.events("daemon.ready"))

    def _pid_in(self, slot: str) -> int:
        """The child licensed last for the slot, unless it has exited since."""
        current = 0
        for event in self.log.events(slot=slot):
            if event["event"] == "child.born":
                current = int(event["pid"])
            elif event["event"] == "child.exited":
                current = 0
        return current

    def _pids_in_log(self) -> set[int]:
        return {int(event["pid"]) for event in self.log.events() if isinstance(event.get("pid"), int)}


def read_pid(path: Path, within: float = WITHIN_S) -> int:
    """Return the pid that a job writes to ``path``."""
    return int(eventually(lambda: path.exists() and path.read_text().strip(), within, f"a pid in {path.name}"))


@contextmanager
def running(project: Project) -> Iterator[Daemon]:
    """Yield a daemon that runs; at the end it stops, and leaves nothing."""
    daemon = Daemon(project)
    try:
        daemon.start()
        yield daemon
        daemon.stop()
    finally:
        daemon.clean_up()

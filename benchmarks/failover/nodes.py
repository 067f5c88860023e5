"""Two real daemons on one database, and what their singleton witnesses."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, NamedTuple, TypeVar

ROOT = Path(__file__).resolve().parents[2]
MANAGE = ROOT / "django_site" / "manage.py"
WITHIN_S = 90.0
Value = TypeVar("Value")
ROW = """
from workerd.models import Job
Job.objects.create(
    name="witness",
    target="benchmarks.failover.job.witness",
    kwargs={{"path": {path!r}}},
    scope="fleet",
    takeover_after={takeover_s},
    start_grace=0.05,
    stop_timeout=3,
)
"""


class Line(NamedTuple):
    """One line of the witness."""

    node: str
    token: int
    at_ns: int


class Node:
    """One daemon, which may be started again."""

    def __init__(self, name: str, folder: Path, url: str) -> None:
        self.name = name
        self.events: list[tuple[int, dict[str, Any]]] = []
        self._stderr = folder / f"{name}.stderr"
        options = {"TARGETS": ["benchmarks.*"], "PRELOAD": ["benchmarks.failover.job"], "LOG_FORMAT": "json"}
        self.env = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "django_site.settings",
            "DATABASE_URL": url,
            "PYTHONPATH": f"{ROOT}:{ROOT / 'django_site'}",
            "WORKERD_NAME": name,
            "WORKERD_STATE_DIR": str(folder / name),
            "WORKERD_SETTINGS": json.dumps(options),
        }
        self.env.pop("PYTHONDONTWRITEBYTECODE", None)  # what is installed has its bytecode; to compile it takes long
        self._process: subprocess.Popen[bytes] | None = None

    def manage(self, *words: str) -> None:
        subprocess.run([sys.executable, str(MANAGE), *words], env=self.env, check=True)

    def start(self) -> None:
        """Start it."""
        self.events = []
        with self._stderr.open("ab") as stderr:
            self._process = subprocess.Popen(
                [sys.executable, str(MANAGE), "workerd", "run"], env=self.env, stdout=subprocess.PIPE, stderr=stderr
            )
        assert self._process.stdout is not None
        threading.Thread(target=self._read, args=(self._process.stdout, self.events), daemon=True).start()

    def signal(self, number: signal.Signals) -> int:
        """Send it a signal; return the monotonic nanoseconds."""
        assert self._process is not None
        at = time.monotonic_ns()
        self._process.send_signal(number)
        return at

    def processor_ms(self) -> float:
        """Return the processor time that the daemon and its children have taken, and those that have ended."""
        assert self._process is not None
        daemon = self._process.pid
        pids = [daemon, *map(int, Path(f"/proc/{daemon}/task/{daemon}/children").read_text().split())]
        return sum(_ticks(pid) for pid in pids) * 1000 / os.sysconf("SC_CLK_TCK")

    def wait(self) -> None:
        """Wait for its end."""
        assert self._process is not None
        self._process.wait(WITHIN_S)

    def end(self) -> None:
        """End it if it runs."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self._process.kill()

    def event(self, name: str) -> int:
        """Return the monotonic nanoseconds at which an event was first read."""
        return wait_for(
            lambda: next((at for at, event in list(self.events) if event.get("event") == name), 0),
            f"{name} of {self.name}",
        )

    def _read(self, stream: IO[bytes], events: list[tuple[int, dict[str, Any]]]) -> None:
        events.extend((time.monotonic_ns(), json.loads(line)) for line in stream)


def _ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15]))


class Witness:
    """The lines that the singleton has written."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def lines(self) -> list[Line]:
        if not self.path.exists():
            return []
        words = [line.split() for line in self.path.read_text().splitlines()]
        return [Line(node, int(token), int(at)) for node, token, at in words if token.isdigit()]

    def newest(self) -> Line:
        return wait_for(self.lines, "the first line")[-1]

    def after(self, token: int) -> Line:
        """Return the first line of a later holding."""
        return wait_for(
            lambda: next((line for line in self.lines() if line.token > token), None), f"a holding after {token}"
        )

    def last_of(self, token: int) -> Line:
        return [line for line in self.lines() if line.token == token][-1]

    def forget(self) -> None:
        """Keep the file short, as it is read again and again."""
        os.truncate(self.path, 0)


def wait_for(condition: Callable[[], Value | None], what: str) -> Value:
    """Return the condition's value as soon as it is true."""
    deadline = time.monotonic() + WITHIN_S
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise SystemExit(f"{what} did not come within {WITHIN_S:g} s")
        time.sleep(0.01)
    return value

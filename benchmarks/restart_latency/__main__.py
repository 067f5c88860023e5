"""How soon a killed child has a successor: SIGKILL → first line of the successor's code, and where that time goes.

``python -m benchmarks.restart_latency [--kills N] [--json] [DATABASE_URL …]``; without a URL on SQLite.
A database that is named is migrated, and its job rows are replaced. ``python -m benchmarks.peers`` measures supervisor
and others. To hold on two cores that have nothing else to do: p50 ≤ 10 ms (DESIGN's figure is 6), p99 ≤ 50 ms.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import IO, Any, NamedTuple, TypeVar

from benchmarks.restart_latency.bare_forks import kill, measure_bare_forks

ROOT = Path(__file__).resolve().parents[2]
MANAGE = ROOT / "django_site" / "manage.py"
Value = TypeVar("Value")
WITHIN_S = 60.0
BETWEEN_KILLS_S = 0.15
"""Time enough for the birth of the next spare, as between the crashes of a job that crashes now and then."""
ROW = """
from workerd.models import Job
Job.objects.all().delete()
Job.objects.create(
    name="killed",
    target="benchmarks.restart_latency.job.note_first_line",
    kwargs={{"path": {path!r}}},
    backoff_initial=0,
)
"""
PHASES = (
    ("the kernel ends the child", "ended_ms"),
    ("the daemon hears of it, and tells of the end", "exited_ms"),
    ("the daemon decides, and licenses a spare", "born_ms"),
    ("the spare sets itself up and calls the job", "first_line_ms"),
)

BARE = (
    ("a bare fork of the loaded project", "bare_fork_ms"),
    ("SIGKILL → the end of such a fork", "bare_end_ms"),
)


class Daemon:
    """The real daemon on a project of its own, and what it logs."""

    def __init__(self, folder: Path, url: str) -> None:
        self.lines = folder / "first-lines"
        self.events: list[dict[str, Any]] = []
        options = {"TARGETS": ["benchmarks.*"], "PRELOAD": ["benchmarks.restart_latency.job"], "LOG_FORMAT": "json"}
        self.env = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "django_site.settings",
            "DATABASE_URL": url or f"sqlite:///{folder}/shop.sqlite3",
            "PYTHONPATH": f"{ROOT}:{ROOT / 'django_site'}",
            "WORKERD_NAME": "bench",
            "WORKERD_STATE_DIR": str(folder / "state"),
            "WORKERD_SETTINGS": json.dumps(options),
        }
        self._manage("migrate", "--verbosity=0")
        self._manage("shell", "--no-imports", "-c", ROW.format(path=str(self.lines)))
        with (folder / "stderr").open("wb") as stderr:
            self._process = subprocess.Popen(
                [sys.executable, str(MANAGE), "workerd", "run"], env=self.env, stdout=subprocess.PIPE, stderr=stderr
            )
        assert self._process.stdout is not None
        threading.Thread(target=self._read, args=(self._process.stdout,), daemon=True).start()

    def stop(self) -> None:
        """Stop it gracefully."""
        self._process.terminate()
        self._process.wait(WITHIN_S)

    def event(self, name: str, pid: int) -> float:
        """Return the wall seconds of a child's event."""

        def find() -> float:
            found = [event for event in self.events if event.get("event") == name and event.get("pid") == pid]
            return datetime.fromisoformat(found[0]["timestamp"]).timestamp() if found else 0.0

        return wait_for(find, f"{name} of {pid}")

    def spares_there(self) -> bool:
        """Return whether all spares are there: children without a licence."""
        born = {event["pid"] for event in self.events if event.get("event") == "child.born"}
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        forkservers = {event["forkserver_pid"] for event in self.events if event.get("event") == "forkserver.ready"}
        return len({int(pid) for pid in children} - born - forkservers) >= 2

    def _manage(self, *words: str) -> None:
        subprocess.run([sys.executable, str(MANAGE), *words], env=self.env, check=True)

    def _read(self, stream: IO[bytes]) -> None:
        for line in stream:
            self.events.append(json.loads(line))


def wait_for(condition: Callable[[], Value], what: str) -> Value:
    """Return the condition's value as soon as it is true."""
    deadline = time.monotonic() + WITHIN_S
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise SystemExit(f"{what} did not come within {WITHIN_S:g} s")
        time.sleep(0.002)
    return value


def first_lines(path: Path) -> list[tuple[int, int, float]]:
    """Return pid, monotonic nanoseconds and wall seconds of every first line so far."""
    if not path.exists():
        return []
    words = [line.split() for line in path.read_text().splitlines()]
    return [(int(pid), int(at), float(wall)) for pid, at, wall in words]


def measure(url: str, kills: int) -> dict[str, Any]:
    """Kill the child again and again; return every latency in milliseconds, and its phases."""
    folder = Path(tempfile.mkdtemp(prefix="workerd-bench-"))
    try:
        daemon = Daemon(folder, url)
        try:
            wait_for(lambda: first_lines(daemon.lines), "the first child")
            rounds = [_kill_once(daemon) for _ in range(kills)]
        finally:
            daemon.stop()
        beside = measure_bare_forks(daemon.env)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return {"database": url.partition("://")[0] or "sqlite", "kills": kills, **_figures(rounds), **_round(beside)}


class Kill(NamedTuple):
    """The child that was killed, and its successor; times are wall seconds."""

    latency_ms: float
    ended_ms: float
    """From the kill to the end by the kernel."""
    killed: float
    pid: int
    successor: int
    began: float


def _kill_last(lines: Path) -> Kill:
    """Kill the child that wrote the last of the first lines; return when its successor has written one."""
    time.sleep(BETWEEN_KILLS_S)
    known = first_lines(lines)
    pid = known[-1][0]
    wall, asked = time.time(), time.monotonic_ns()
    killed_at, ended_at = kill(pid)
    wall += (killed_at - asked) / 1e9
    wait_for(lambda: len(first_lines(lines)) > len(known), "the successor")
    successor, began_at, began_wall = first_lines(lines)[len(known)]
    return Kill((began_at - killed_at) / 1e6, (ended_at - killed_at) / 1e6, wall, pid, successor, began_wall)


def _kill_once(daemon: Daemon) -> dict[str, float]:
    wait_for(daemon.spares_there, "the spares")
    killed = _kill_last(daemon.lines)
    exited, born = daemon.event("child.exited", killed.pid), daemon.event("child.born", killed.successor)
    return {
        "latency_ms": killed.latency_ms,
        "ended_ms": killed.ended_ms,
        "exited_ms": (exited - killed.killed) * 1e3 - killed.ended_ms,
        "born_ms": (born - exited) * 1e3,
        "first_line_ms": (killed.began - born) * 1e3,
    }


def _figures(rounds: list[dict[str, float]]) -> dict[str, Any]:
    latencies = sorted(kill["latency_ms"] for kill in rounds)
    figures: dict[str, Any] = {
        "p50_ms": statistics.median(latencies),
        "p90_ms": latencies[int(len(latencies) * 0.9)],
        "p99_ms": latencies[min(len(latencies) - 1, int(len(latencies) * 0.99))],
        "min_ms": latencies[0],
        "max_ms": latencies[-1],
    }
    figures |= {phase: statistics.median(kill[phase] for kill in rounds) for _, phase in PHASES}
    return _round(figures)


def _round(figures: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 2) for name, value in figures.items()}


def draw(results: list[dict[str, Any]]) -> str:
    """Return the figures as a table, a column a database."""
    rows = [("SIGKILL → first line, ms", *(result["database"] for result in results))]
    rows += [(name, *(f"{result[f'{name}_ms']:.2f}" for result in results)) for name in ("p50", "p90", "p99", "max")]
    rows.append(("of the median:", *("" for _ in results)))
    rows += [(f"  {says}", *(f"{result[phase]:.2f}" for result in results)) for says, phase in PHASES]
    rows += [(says, *(f"{result[figure]:.2f}" for result in results)) for says, figure in BARE]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        )
        for row in rows
    )


def main() -> None:
    """Measure each database that was named."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("urls", nargs="*", default=[""], metavar="DATABASE_URL")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--json", action="store_true", help="JSON alone, for programs")
    options = parser.parse_args()
    results = [measure(url, options.kills) for url in options.urls]
    print(json.dumps(results))
    if not options.json:
        print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}, Python {sys.version.split()[0]}")
        print(draw(results))


if __name__ == "__main__":
    main()

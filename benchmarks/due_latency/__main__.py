"""How soon after its due moment a job runs its first line, and what resting schedules cost the daemon.

``python -m benchmarks.due_latency [--dues N] [--together N] [--resting N] [--seconds S] [--json]``, on SQLite. To hold
on two cores that have nothing else to do: the median lateness is 50 ms at most, all of those that are due in the same
second start within their row's start_within, and the daemon's processor time with the resting rows is at most 1.2
times of what it is without them, in the same run.
"""

import argparse
import json
import math
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
MANAGE = ROOT / "django_site" / "manage.py"
WITHIN_S = 60.0
AHEAD_S = 8.0
"""Time enough for the rows to be written, and read by the ledger, before the first is due."""
JOBS = "benchmarks.due_latency.job"
HEAD = """
from workerd.models import Job
def add(rows):
    Job.objects.bulk_create(
        Job(name=name, target="{jobs}.note_first_line", kwargs={{"path": {path!r}, "name": name}}, schedule=schedule,
            time_zone="UTC", restart="on_failure", start_within=600.0)
        for name, schedule in rows
    )
"""


class Daemon:
    """The real daemon on a project of its own, with one job that always runs."""

    def __init__(self, folder: Path) -> None:
        self.lines = folder / "first-lines"
        options = {"TARGETS": ["benchmarks.*"], "PRELOAD": [JOBS], "LOG_FORMAT": "json", "POLL_SECONDS": 2.0}
        self._env = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "django_site.settings",
            "DATABASE_URL": f"sqlite:///{folder}/shop.sqlite3",
            "PYTHONPATH": f"{ROOT}:{ROOT / 'django_site'}",
            "WORKERD_NAME": "bench",
            "WORKERD_STATE_DIR": str(folder / "state"),
            "WORKERD_SETTINGS": json.dumps(options),
        }
        self._manage("migrate", "--verbosity=0")
        self.run(f'Job.objects.all().delete(); Job.objects.create(name="always", target="{JOBS}.rest")')
        with (folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, str(MANAGE), "workerd", "run"], env=self._env, stdout=log, stderr=log
            )
        wait_for(lambda: b'"daemon.ready"' in (folder / "log").read_bytes(), "the daemon")

    def run(self, statement: str) -> None:
        """Run a statement that may name Job, and add rows by ``add``."""
        head = HEAD.format(jobs=JOBS, path=str(self.lines))
        self._manage("shell", "--no-imports", "-c", f"{head}\n{statement}")

    def slots(self) -> list[dict[str, Any]]:
        done = subprocess.run(
            [sys.executable, str(MANAGE), "workerd", "status", "--json"],
            env=self._env,
            check=False,
            stdout=subprocess.PIPE,
        )
        return list(json.loads(done.stdout)["slots"])

    def processor_s(self) -> float:
        """Return the processor time that the daemon's own process has used, to the nanosecond."""
        return int(Path(f"/proc/{self._process.pid}/schedstat").read_text().split()[0]) / 1e9

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(WITHIN_S)

    def _manage(self, *words: str) -> None:
        subprocess.run([sys.executable, str(MANAGE), *words], env=self._env, check=True)


def wait_for(condition: Callable[[], object], what: str, every: float = 0.05) -> None:
    """Return as soon as the condition is true."""
    deadline = time.monotonic() + WITHIN_S
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"{what} did not come within {WITHIN_S:g} s")
        time.sleep(every)


def once(moment: float) -> str:
    return f"at {datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M:%S}"


def run_due(daemon: Daemon, moments: dict[str, float]) -> list[float]:
    """Have a row for each moment, and return how late each was, in milliseconds."""
    daemon.run(f"add({[(name, once(moment)) for name, moment in moments.items()]!r})")
    wait_for(lambda: len(first_lines(daemon.lines).keys() & moments) == len(moments), "the first lines")
    found = first_lines(daemon.lines)
    daemon.run('Job.objects.exclude(schedule=None).exclude(schedule="").delete()')
    return sorted((found[name] - moment) * 1e3 for name, moment in moments.items())


def first_lines(path: Path) -> dict[str, float]:
    """Return the wall time of each job's first line."""
    text = path.read_text() if path.exists() else ""
    return {name: float(wall) for name, wall in map(str.split, text.splitlines())}


def measure(options: argparse.Namespace) -> dict[str, Any]:
    folder = Path(tempfile.mkdtemp(prefix="workerd-bench-"))
    try:
        daemon = Daemon(folder)
        try:
            return {**_lateness(daemon, options), **_rest(daemon, options)}
        finally:
            daemon.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _lateness(daemon: Daemon, options: argparse.Namespace) -> dict[str, Any]:
    begin = math.ceil(time.time() + AHEAD_S)
    alone = run_due(daemon, {f"alone-{number}": begin + number for number in range(options.dues)})
    moment = math.ceil(time.time() + AHEAD_S)
    together = run_due(daemon, {f"together-{number}": moment for number in range(options.together)})
    return {
        "load": round(os.getloadavg()[0], 1),
        "dues": len(alone),
        "late_p50_ms": round(statistics.median(alone), 1),
        "late_max_ms": round(alone[-1], 1),
        "together": len(together),
        "together_last_s": round(together[-1] / 1e3, 2),
    }


def _rest(daemon: Daemon, options: argparse.Namespace) -> dict[str, Any]:
    wait_for(lambda: not any(slot["job_name"].startswith("together") for slot in daemon.slots()), "the rest", every=1.0)
    without = _use(daemon, options.seconds)
    daemon.run(f'add([(f"rests-{{number}}", "0 3 1 1 *") for number in range({options.resting})])')
    wait_for(lambda: len(daemon.slots()) > options.resting, "the resting rows", every=1.0)
    resting = _use(daemon, options.seconds)
    daemon.run('Job.objects.exclude(schedule=None).exclude(schedule="").delete()')
    wait_for(lambda: len(daemon.slots()) < options.resting, "the end of the resting rows", every=1.0)
    without = (without + _use(daemon, options.seconds)) / 2  # before and after, as other programs come and go
    return {
        "resting": options.resting,
        "without_ms_a_s": round(1e3 * without, 3),
        "resting_ms_a_s": round(1e3 * resting, 3),
        "ratio": round(resting / without, 2),
    }


def _use(daemon: Daemon, seconds: float) -> float:
    """Return the processor seconds that the daemon uses a second."""
    time.sleep(5)  # until what was written has been read
    before, began = daemon.processor_s(), time.monotonic()
    time.sleep(seconds)
    return (daemon.processor_s() - before) / (time.monotonic() - began)


def main() -> None:
    """Measure once and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.due_latency")
    parser.add_argument("--dues", type=int, default=20, help="how many are due, one a second (%(default)s)")
    parser.add_argument("--together", type=int, default=200, help="how many are due in one second (%(default)s)")
    parser.add_argument("--resting", type=int, default=1000, help="how many rest (%(default)s)")
    parser.add_argument("--seconds", type=float, default=30.0, help="how long the daemon rests (%(default)g s)")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures = measure(options)
    width = max(map(len, figures))
    print(json.dumps(figures) if options.json else "\n".join(f"{k:{width}}  {v}" for k, v in figures.items()))


if __name__ == "__main__":
    main()

"""Many children: how long births and stop take, what they cost while idle, how fast they follow a dead daemon.

    python -m benchmarks.scale --children 1000 [--database URL] [--seconds 30]

Prints JSON. The daemon runs through the real command, in a folder of its own, on SQLite unless a URL is given.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
MANAGE = ROOT / "django_site" / "manage.py"
TICKS = os.sysconf("SC_CLK_TCK")
ADD_JOB = """
from workerd.models import Job
Job.objects.create(name="idle", target="shop.jobs.mind_the_shop", processes={children}, start_grace=0.05)
"""


def main() -> None:
    """Measure once and print."""
    options = _parse()
    with tempfile.TemporaryDirectory(prefix="workerd-scale.", ignore_cleanup_errors=True) as folder:
        environment = {**os.environ, "WORKERD_STATE_DIR": folder, "PYTHONUNBUFFERED": "1"}
        if options.database:
            environment["DATABASE_URL"] = options.database
        for words in (["migrate", "-v0"], ["shell", "-v0", "-c", ADD_JOB.format(children=options.children)]):
            subprocess.run([sys.executable, MANAGE, *words], env=environment, check=True, capture_output=True)
        figures = _measure(environment, options)
    print(json.dumps(figures, indent=2))


def _measure(environment: dict[str, str], options: argparse.Namespace) -> dict[str, Any]:
    figures: dict[str, Any] = {"children": options.children, "processors": os.cpu_count()}
    daemon, lines = _start(environment)
    _, loaded = _wait_for(lines, lambda event: event["event"] == "forkserver.ready", 1)[0]
    parents = {"daemon": daemon.pid, "forkserver": loaded["forkserver_pid"]}
    before = {name: _processor_ms(pid) for name, pid in parents.items()}
    born = _wait_for(lines, _is_idle_and_ready, options.children)
    figures["all_ready_s"] = round(born[-1][0] - born[0][0] + _since_birth(lines), 3)
    each = {name: (_processor_ms(pid) - before[name]) / options.children for name, pid in parents.items()}
    each["child"] = statistics.mean(_processor_ms(event["pid"]) for _, event in born)
    figures["processor_ms_of_each_birth"] = {name: round(spent, 2) for name, spent in each.items()}
    _settle(daemon.pid)
    figures["idle_daemon_cpu_percent"] = _cpu_percent(daemon.pid, options.seconds)
    pids = [event["pid"] for _, event in born]
    figures["idle_child_private_mib_median"] = round(statistics.median(map(private_mib, pids[:100])), 3)
    started = time.monotonic()
    daemon.send_signal(signal.SIGTERM)
    daemon.wait(60)
    figures["all_stopped_s"] = round(time.monotonic() - started, 3)
    daemon, lines = _start(environment)
    born = _wait_for(lines, _is_idle_and_ready, options.children)
    pids = [event["pid"] for _, event in born]
    started = time.monotonic()
    daemon.kill()
    while any(_is_alive(pid) for pid in pids):
        time.sleep(0.001)
    figures["gone_after_kill_9_s"] = round(time.monotonic() - started, 4)
    daemon.wait()
    return figures


class Lines:
    """The daemon's log as it is read: each line with the moment at which it came."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.seen: list[tuple[float, dict[str, Any]]] = []

    def next(self) -> tuple[float, dict[str, Any]]:
        """Read one more line."""
        line = self._stream.readline()
        if not line:
            raise SystemExit("the daemon has ended")
        self.seen.append((time.monotonic(), json.loads(line)))
        return self.seen[-1]


def _start(environment: dict[str, str]) -> tuple[subprocess.Popen[str], Lines]:
    daemon = subprocess.Popen(
        [sys.executable, MANAGE, "workerd", "run"], env=environment, stdout=subprocess.PIPE, text=True
    )
    return daemon, Lines(daemon.stdout)


def _wait_for(lines: Lines, wanted: Callable[[dict[str, Any]], bool], count: int) -> list[tuple[float, dict[str, Any]]]:
    found: list[tuple[float, dict[str, Any]]] = []
    while len(found) < count:
        moment, event = lines.next()
        if wanted(event):
            found.append((moment, event))
    return found


def _is_idle_and_ready(event: dict[str, Any]) -> bool:
    return event["event"] == "child.ready" and event.get("job") == "idle"


def _since_birth(lines: Lines) -> float:
    """Return the seconds from the rows' being read to the first child's being ready."""
    ready = next(at for at, event in lines.seen if _is_idle_and_ready(event))
    return ready - next(at for at, event in lines.seen if event["event"] == "ledger.connected")


def _settle(pid: int) -> None:
    """Wait until the daemon has written down what the births have left to write."""
    while _cpu_percent(pid, 2.0) > 2.0:
        pass


def _cpu_percent(pid: int, seconds: float) -> float:
    before = _cpu_ticks(pid)
    time.sleep(seconds)
    return round((_cpu_ticks(pid) - before) / TICKS / seconds * 100, 3)


def _cpu_ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def _processor_ms(pid: int) -> float:
    """Return the processor time that a process has had, in user mode and in the kernel."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e6


def private_mib(pid: int) -> float:
    """Return the memory that a process shares with none, in MiB."""
    rows = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(row.split()[1]) for row in rows if row.startswith(("Private_Clean:", "Private_Dirty:"))) / 1024


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--children", type=int, default=1000)
    parser.add_argument("--database", default="")
    parser.add_argument("--seconds", type=float, default=30.0, help="how long the idle daemon is watched")
    return parser.parse_args()


if __name__ == "__main__":
    main()

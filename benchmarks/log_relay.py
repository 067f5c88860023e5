"""How many log lines a second the daemon relays, none lost, torn or out of order, and what a crash costs meanwhile.

Ten children write numbered lines for ten seconds, at 100,000 a second rendered beforehand and at 30,000 through
structlog; a process of its own reads the daemon's output and checks each child's numbers. Another child is killed again
and again, before and meanwhile. Run it as ``python -m benchmarks.log_relay``, on a machine with nothing else to do.
"""

import argparse
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import time
from typing import Any

from benchmarks.daemon_at_work.project import Project, cpu_seconds, new_project, wait_until

CHILDREN = 10
KILLS = 20
LINE = re.compile(rb'"slot":"(flood:\d+)","run":"[^"]*","generation":1,[^{]*?"sequence":(\d+)')


def main() -> int:
    """Run each rate in a daemon of its own; 1 where a promise did not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--read", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rendered", type=int, default=100_000, help="lines a second, rendered beforehand")
    parser.add_argument("--structlog", type=int, default=30_000, help="lines a second through structlog")
    options = parser.parse_args()
    if options.read:
        return read()
    good = [
        measure("rendered", options.rendered, options.seconds),
        measure("structlog", options.structlog, options.seconds),
    ]
    return 0 if all(good) else 1


def measure(kind: str, rate: int, seconds: float) -> bool:
    """Print what one rate comes to; return whether all was as promised."""
    with new_project() as project:
        go = project.state_dir.parent / "go"
        kwargs = {"go": str(go), "rate": rate // CHILDREN, "seconds": seconds, "rendered": kind == "rendered"}
        target = "benchmarks.daemon_at_work.jobs."
        quick = {"start_grace": 0.05, "backoff_initial": 0}
        project.add_jobs(
            {"name": "flood", "target": f"{target}write_lines", "processes": CHILDREN, "kwargs": kwargs, **quick},
            {"name": "killed", "target": f"{target}say_when", **quick},
        )
        reading, writing = os.pipe()
        reader = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.log_relay", "--read"], stdin=reading, stdout=subprocess.PIPE, text=True
        )
        daemon = project.start(writing)
        for descriptor in (reading, writing):
            os.close(descriptor)
        kills = kill_child(project, KILLS, pause=0.1)
        used, began = cpu_seconds(daemon.pid), time.monotonic()
        go.touch()
        kills += kill_child(project, KILLS, pause=seconds / KILLS / 2)
        time.sleep(max(0.0, began + seconds - time.monotonic()))
        busy = (cpu_seconds(daemon.pid) - used) / (time.monotonic() - began)
        time.sleep(3.0)
        daemon.terminate()
        daemon.wait()
        found = json.loads(reader.communicate()[0])
    print(f"{kind}: {rate} lines a second asked for; daemon at {busy * 100:.0f} % of one processor")
    return report_lines(seconds, found) & report_kills(kills, found)


def kill_child(project: Project, kills: int, pause: float) -> list[tuple[int, float]]:
    """Kill the child of the job ``killed`` so many times; return each pid with the moment of its death."""
    deaths = []
    for _ in range(kills):
        pid = wait_until(lambda: project.pid("killed"), "a child to kill")
        deaths.append((pid, time.monotonic()))
        os.kill(pid, signal.SIGKILL)
        time.sleep(pause)
    return deaths


def report_lines(seconds: float, found: dict[str, Any]) -> bool:
    """Print what was written and read; return whether it is the same, and was written at the rate asked for."""
    wrote = found["wrote"]
    lines, slowest = sum(job["lines"] for job in wrote), max((job["seconds"] for job in wrote), default=0.0)
    print(f"  written: {lines} by {len(wrote)} children in {slowest:.2f} s, {lines / (slowest or 1):.0f} a second")
    cost = statistics.mean(job["cpu_us"] for job in wrote)
    print(f"  a line costs its child {cost:.1f} µs of processor time")
    print(f"  read: {found['read']}, {found['faults']} torn or out of order, {found['dropped']} said to be dropped")
    print(f"  the last line was read {found['lag_s'] * 1000:.0f} ms after the last child had written its last")
    whole = len(wrote) == CHILDREN and found["read"] == lines and not found["faults"] and not found["dropped"]
    return whole and slowest <= seconds * 1.05


def report_kills(kills: list[tuple[int, float]], found: dict[str, Any]) -> bool:
    """Print how soon the killed child was back; return whether that took no more than three times as long as idle."""
    returns = [min((at - killed for at in found["began"] if at > killed), default=float("inf")) for _, killed in kills]
    idle, meanwhile = (statistics.median(part) * 1000 for part in (returns[:KILLS], returns[KILLS:]))
    print(f"  killed child back, p50: {idle:.1f} ms idle, {meanwhile:.1f} ms meanwhile, {meanwhile / idle:.1f} times")
    return meanwhile <= 3 * idle


def read() -> int:
    """Be the reader: check every child's numbers, and print what there was as JSON."""
    due: dict[bytes, int] = {}
    found: dict[str, Any] = {"read": 0, "faults": 0, "dropped": 0, "wrote": [], "began": [], "lag_s": 0.0}
    last = 0.0
    for line in sys.stdin.buffer:
        match = LINE.search(line)
        if match is None:
            note(json.loads(line), found)
            continue
        slot, number = match[1], int(match[2])
        if number != due.get(slot, 0) or line[:1] != b"{" or line[-2:] != b"}\n":
            found["faults"] += 1
        due[slot] = number + 1
        found["read"] += 1
        last = time.monotonic()
    if found["wrote"]:
        found["lag_s"] = last - max(job["ended"] for job in found["wrote"])
    print(json.dumps(found))
    return 0


def note(event: dict[str, Any], found: dict[str, Any]) -> None:
    """Keep what an event other than a numbered line says."""
    if event["event"] == "bench.wrote":
        found["wrote"].append({name: event[name] for name in ("lines", "seconds", "ended", "cpu_us")})
    elif event["event"] == "bench.began":
        found["began"].append(event["at"])
    elif event["event"] == "log.dropped":
        found["dropped"] += event["lines"]


if __name__ == "__main__":
    sys.exit(main())

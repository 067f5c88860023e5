"""Measures every peer on the same project, one after the other, and prints a table."""

import argparse
import importlib.util
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from benchmarks import SITE
from benchmarks.daemon_at_work.project import wait_until
from benchmarks.peers import __doc__ as doc
from benchmarks.peers.programs import MANAGE, PEERS, ROOT
from benchmarks.peers.work import LINES, first_lines
from benchmarks.scale import private_mib

BETWEEN_KILLS_S = 0.5
ROW = """
from workerd.models import Job
Job.objects.all().delete()
Job.objects.create(name="killed", target="benchmarks.peers.work.note_and_wait", backoff_initial=0)
"""
OPTIONS = {"TARGETS": ["benchmarks.*"], "PRELOAD": ["benchmarks.peers.work"], "LOG_FORMAT": "json"}


class Figures(NamedTuple):
    """What was measured of one peer: milliseconds from SIGKILL to the first line, and private MiB."""

    peer: str
    p50_ms: float
    worst_ms: float
    process_mib: float
    own_mib: float


def measure(peer: str, folder: Path, env: dict[str, str], kills: int) -> Figures:
    """Start a peer in a folder of its own, kill its process again and again, and stop it."""
    folder /= peer
    folder.mkdir()
    lines = folder / "first-lines"
    env = {**env, LINES: str(lines), "WORKERD_STATE_DIR": str(folder)}
    with (folder / "log").open("wb") as log:
        program = subprocess.Popen(PEERS[peer](folder), env=env, stdout=log, stderr=log)
    try:
        wait_until(lambda: first_lines(lines), f"the first process of {peer}")
        latencies = [kill_last(lines) for _ in range(kills)]
        time.sleep(BETWEEN_KILLS_S)
        own = sum(map(private_mib, tree(program.pid) - {first_lines(lines)[-1].pid}))
        process = private_mib(first_lines(lines)[-1].pid)
    finally:
        for pid in tree(program.pid):  # what is measured is over: nobody need be asked to go
            os.kill(pid, signal.SIGKILL)
        program.wait()
    rounded = (round(value, 1) for value in (statistics.median(latencies), max(latencies), process, own))
    return Figures(peer, *rounded)


def kill_last(lines: Path) -> float:
    """Kill the process that wrote the last of the first lines; return the milliseconds to its successor's."""
    time.sleep(BETWEEN_KILLS_S)
    known = first_lines(lines)
    killed_at = time.monotonic_ns()
    os.kill(known[-1].pid, signal.SIGKILL)
    wait_until(lambda: len(first_lines(lines)) > len(known), "the successor")
    return (first_lines(lines)[len(known)].at - killed_at) / 1e6


def tree(pid: int) -> set[int]:
    """Return a process and its descendants."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return {pid}.union(*(tree(int(child)) for child in children))


def draw(figures: list[Figures]) -> str:
    """Return a table, a row a peer."""
    head = ("", "median ms", "longest ms", "process MiB", "all others MiB")
    rows = [head, *((row.peer, *(f"{value:.1f}" for value in row[1:])) for row in figures)]
    return "\n".join("  ".join([name.ljust(12), *(cell.rjust(14) for cell in cells)]) for name, *cells in rows)


def main() -> None:
    """Prepare the project, and measure each peer that is installed."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url", nargs="?", default="", metavar="DATABASE_URL")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--peers", default=",".join(PEERS), help="the names, with commas between them")
    parser.add_argument("--json", action="store_true", help="JSON alone, for programs")
    options = parser.parse_args()
    wanted = options.peers.split(",")
    missing = [name for name in wanted if importlib.util.find_spec(name) is None]
    folder = Path(tempfile.mkdtemp(prefix="workerd-peers-"))
    try:
        env = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "django_site.settings",
            "DATABASE_URL": options.url or f"sqlite:///{folder}/shop.sqlite3",
            "PYTHONPATH": f"{ROOT}:{SITE}",
            "WORKERD_NAME": "bench",
            "WORKERD_SETTINGS": json.dumps(OPTIONS),
        }
        for words in (["migrate", "--verbosity=0"], ["shell", "--no-imports", "-c", ROW]):
            subprocess.run([sys.executable, str(MANAGE), *words], env=env, check=True)
        figures = [measure(name, folder, env, options.kills) for name in wanted if name not in missing]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps([row._asdict() for row in figures]))
    if not options.json:
        print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}, Python {sys.version.split()[0]}")
        print(draw(figures), *(f"{name} is not installed" for name in missing), sep="\n")


if __name__ == "__main__":
    main()

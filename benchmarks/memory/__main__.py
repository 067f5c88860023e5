"""What processes hold of their own: an idle child, one after 1,000 queries, a bare fork beside them, and the daemon.

    python -m benchmarks.memory [--against DIR] [--children 6] [--rounds 3]

``--against`` is another copy of this repository, for example a git worktree of an older commit. Both are measured in
one run, turn by turn, by this interpreter and its packages; the jobs are this copy's. The children are those of a real
daemon, on SQLite. A bare fork is an ``os.fork()`` of the same project, loaded, collected and frozen, that sleeps, or
does the same work. Memory is what no other process shares (Private_Clean and Private_Dirty of smaps).
"""

import argparse
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.daemon_at_work.project import Project, wait_until

ROOT = Path(__file__).resolve().parents[2]
JOBS = ("idle", "work")
SETTLED_AFTER_S = 2.0
KINDS = ("objects", "heap", "libraries", "stack")
BARE_FORK = r"""
import gc, os, sys, time
import django
django.setup()
from workerd import registry
registry.autodiscover()
import weighed
class Context:
    class log:
        info = staticmethod(lambda *_: None)
    @staticmethod
    def wait():
        os.write(1, b"%d\n" % os.getpid())
        time.sleep(3600)
gc.collect()
gc.freeze()
for number in range(int(sys.argv[1])):
    if os.fork() == 0:
        getattr(weighed, sys.argv[2])(Context)
time.sleep(3600)
"""

Sizes = dict[str, float]
"""MiB by kind of mapping."""


def main() -> None:
    """Measure each copy, by turns, and print the medians."""
    options = _parse()
    trees = {"before": options.against, "now": ROOT} if options.against else {"now": ROOT}
    seen: dict[str, dict[str, list[Sizes]]] = {name: {} for name in trees}
    for _ in range(options.rounds):
        for name, tree in trees.items():
            for row, sizes in _measure(tree, options.children):
                seen[name].setdefault(row, []).append(sizes)
    print(f"Python {sys.version.split()[0]}; MiB, medians of {options.rounds} rounds of {options.children} children")
    print(f"{'':44}" + "".join(f"{word:>11}" for word in ("private", *KINDS)))
    for name, rows in seen.items():
        for row, samples in rows.items():
            middle = {kind: statistics.median(sample.get(kind, 0.0) for sample in samples) for kind in KINDS}
            total = statistics.median(sum(sample.values()) for sample in samples)
            print(f"{name:8}{row:36}{total:11.2f}" + "".join(f"{middle[kind]:11.2f}" for kind in KINDS))


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", type=lambda text: Path(text).resolve(), help="another copy of the repository")
    parser.add_argument("--children", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


def _measure(tree: Path, children: int) -> Iterator[tuple[str, Sizes]]:
    """Yield the rows of one copy: what is measured, and its sizes."""
    with tempfile.TemporaryDirectory(prefix="workerd-bench-", ignore_cleanup_errors=True) as folder:
        project = Project(Path(folder), tree=tree, PRELOAD=["weighed"])
        project.env["PYTHONPATH"] += f":{Path(__file__).parent}"
        project.add_jobs(*({"name": name, "target": f"weighed.{name}", "processes": children} for name in JOBS))
        daemon = project.start(os.open(os.devnull, os.O_WRONLY))
        try:
            pids = {name: _pids(project, name) for name in JOBS}
            wait_until(lambda: all(map(_is_asleep, pids["work"])), "children that have done their work")
            time.sleep(SETTLED_AFTER_S)
            yield "an idle child", _middle(pids["idle"])
            yield "a child after 1,000 queries and collect", _middle(pids["work"])
            yield "the idle daemon", private(daemon.pid)
        finally:
            daemon.terminate()
            daemon.wait()
        for name, row in (("idle", "a bare fork, idle"), ("work", "a bare fork after the same work")):
            with _bare_forks(project, children, name) as forks:
                yield row, _middle(forks)


def _pids(project: Project, job: str) -> list[int]:
    return [slot["pid"] for slot in project.picture()["slots"] if slot["name"].partition(":")[0] == job]


def _is_asleep(pid: int) -> bool:
    """Return whether a process waits in poll(2) by now, as a job does in ``context.wait()``."""
    return "poll" in Path(f"/proc/{pid}/wchan").read_text()


@contextmanager
def _bare_forks(project: Project, count: int, work: str) -> Iterator[list[int]]:
    command = [sys.executable, "-c", BARE_FORK, str(count), work]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=project.env, stdout=pipe, text=True, start_new_session=True) as parent:
        assert parent.stdout is not None
        try:
            yield [int(parent.stdout.readline()) for _ in range(count)]
        finally:
            os.killpg(parent.pid, signal.SIGKILL)


def _middle(pids: list[int]) -> Sizes:
    """Return the sizes of the process whose total is the median."""
    return sorted(map(private, pids), key=lambda sizes: sum(sizes.values()))[len(pids) // 2]


def private(pid: int) -> Sizes:
    """Return the MiB that a process shares with no other one."""
    sizes: defaultdict[str, float] = defaultdict(float)
    kind = ""
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        if found := re.match(r"[0-9a-f]+-[0-9a-f]+ \S+ \S+ \S+ \S+ *(.*)", line):
            kind = {"": "objects", "[heap]": "heap", "[stack]": "stack"}.get(found[1], "libraries")
        elif line.startswith(("Private_Clean:", "Private_Dirty:")):
            sizes[kind] += int(line.split()[1]) / 1024
    return dict(sizes)


if __name__ == "__main__":
    main()

"""Runs many rows every ten seconds under the soak's faults: each due moment has its run or its missed row, none two.

``python -m tests.soak.due --minutes 60 --jobs 50 --database postgres+psycopg2: [--seed N]``. The clock that the daemon
asks and the kernel's timer are to be one, so the wall clock is not set here. Ends with 1 where a moment is unaccounted
for, or accounted for twice.
"""

import argparse
import random
import signal
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

from .session import calm, hold

EVERY_S = 10
PAUSES_S, QUICK_PAUSES_S = (3.0, 7.0), (1.0, 3.0)
"""How long each injector rests between two faults: that of server and daemon, that of their processes."""
LONG_S = 12.0
"""A run that is longer than the interval: its row's overlap says what the next moment does."""
OVERLAPS = ("skip", "queue", "replace")


def main() -> int:
    """Run it, print its figures as JSON, return the exit code."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--jobs", type=int, default=50)
    parser.add_argument("--database", required=True)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    options = parser.parse_args()
    print(f"due moments: {options.jobs} jobs, {options.minutes:g} minutes, seed {options.seed}", flush=True)
    return hold(options.database, lambda soak: run(soak, options), dict(rows(options.jobs)))


def rows(count: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the rows: half of them run at most once, one in five for longer than its interval."""
    for number in range(count):
        fields: dict[str, Any] = {
            "target": "tests.soak.jobs.tick",
            "schedule": f"every {EVERY_S} s",
            "restart": "never" if number % 2 else "on_failure",
            "heartbeat_timeout": 30,
        }
        if number % 5 == 0:
            fields |= {"kwargs": {"seconds": LONG_S}, "overlap": OVERLAPS[number // 5 % len(OVERLAPS)]}
        yield f"due-{number:02}", fields


def run(soak: Any, options: argparse.Namespace) -> dict[str, Any]:
    """Make faults for the time given; return what was found."""
    from .faults.daemon import DAEMON
    from .faults.database import database_faults
    from .faults.process import PROCESSES
    from .injector import Injector

    soak.project.extra_env.pop("LD_PRELOAD", None)  # the clock that can be set
    soak.start(soak.daemon, within=60)
    kills = {"daemon killed, two started": DAEMON["daemon killed, two started"]}
    main_faults = database_faults(soak) | kills
    injector = Injector(soak, main_faults, random.Random(f"{options.seed} main"), PAUSES_S)
    beside = Injector(soak, PROCESSES, random.Random(f"{options.seed} processes"), QUICK_PAUSES_S)
    began = time.monotonic()
    beside.begin()
    injector.run(lambda: time.monotonic() - began > options.minutes * 60)
    beside.end()
    soak.heal()
    soak.write(lambda: soak.project.jobs.update(enabled=False))
    complaints = calm(
        lambda: [slot["name"] for slot in soak.daemon.picture()["slots"] if slot["pid"]][1:], "at the end"
    )
    complaints += calm(soak.unwritten, "at the end")
    soak.daemon.signal(signal.SIGTERM)
    soak.daemon.wait()
    found = list(account(soak))
    return {
        "seed": options.seed,
        "minutes": options.minutes,
        "database": soak.databases.backend.name,
        "faults": dict(injector.done + beside.done),
        "rows": dict(Counter(soak.project.runs.values_list("outcome", flat=True)).most_common()),
        "moments": sum(len(moments) for _, moments in moments_of(soak)),
        "complaints": complaints + found[:30] + injector.errors + beside.errors + soak.log_troubles()[:20],
    }


def running(soak: Any) -> list[str]:
    """Return the slots of jobs that have a process."""
    return [slot["name"] for slot in soak.daemon.picture()["slots"] if slot["pid"] and not slot["builtin"]]


def moments_of(soak: Any) -> Iterator[tuple[str, range]]:
    """Yield each job with every moment from its first row to its last."""
    of_job: dict[str, list[int]] = defaultdict(list)
    for name, due, missed in soak.project.runs.values_list("job_name", "due", "missed"):
        first = round(due.timestamp())
        of_job[name] += [first, first + EVERY_S * ((missed or 1) - 1)]
    for name, known in sorted(of_job.items()):
        yield name, range(min(known), max(known) + 1, EVERY_S)


def account(soak: Any) -> Iterator[str]:
    """Yield what is wrong with the history, by what the jobs have left in their file."""
    from . import evidence

    restarts = dict(soak.project.jobs.values_list("name", "restart"))
    begun, missed, finished = Counter[Any](), Counter[Any](), Counter[Any]()
    columns = ("job_name", "due", "missed", "outcome", "trigger")
    for name, due, count, outcome, trigger in soak.project.runs.values_list(*columns):
        first = round(due.timestamp())
        if outcome == "missed":
            missed.update((name, first + EVERY_S * number) for number in range(count or 1))
        else:
            begun[name, first] += trigger != "retry"
            finished[name, first] += outcome == "finished"
    dues = evidence.read_dues(soak.folder, "begin")
    lines = Counter((name, moment) for name, moment, _ in dues)
    for name, moments in moments_of(soak):
        for moment in moments:
            key = name, moment
            told = f"{name} at {moment}: {begun[key]} begun, {missed[key]} missed, {lines[key]} by its own file"
            if not begun[key] + missed[key]:
                yield f"unaccounted: {told}"
            if missed[key] > 1 or finished[key] > 1 or (missed[key] and finished[key]):
                yield f"twice: {told}"
            if restarts[name] == "never" and (lines[key] > 1 or begun[key] + missed[key] != 1):
                yield f"more than once: {told}"
    for name, moment, run in dues:
        is_excused = run in soak.may_be_lost and restarts[name] != "never"  # whose row is written first
        if not begun[name, moment] and not is_excused:
            yield f"no row: {name} at {moment} ran"


if __name__ == "__main__":
    sys.exit(main())

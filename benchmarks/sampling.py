"""What it costs to measure 1,000 children each ten seconds, beside the same daemon that measures nothing.

    python -m benchmarks.sampling [--children 1000] [--seconds 120] [--restless]

Two daemons run one after the other, and each is watched for so many seconds once it rests. The first has
SAMPLE_SECONDS at 0, the second at its default. ``--restless`` has every child take memory and give it back, so that no
sample can tell from the counters of page faults that there is nothing to read. Prints JSON; 1 where a promise did not
hold. Processor time is the scheduler's, in nanoseconds, so a machine that is busy with others does not add to it.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.daemon_at_work.project import Project, new_project, wait_until

PROMISE_PERCENT = 0.3
MOST_BYTES = 12 * 1024
"""Of the file, for each child."""
READY_WITHIN_S = 900.0
REST_S = 20.0


def main() -> int:
    """Measure both, print them, and say whether the promises held."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--children", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=120.0, help="how long each daemon is watched")
    parser.add_argument("--restless", action="store_true", help="children that take memory and give it back")
    options = parser.parse_args()
    without, sampled = (measure(seconds, options) for seconds in (0, 10))
    cost = round(sampled["daemon_percent"] - without["daemon_percent"], 4)
    figures = {
        "children": options.children,
        "restless": options.restless,
        "without": without,
        "sampled": sampled,
        "cost_percent_of_a_processor": cost,
        "ledger_cost_percent": round(sampled["ledger_percent"] - without["ledger_percent"], 4),
        "private_mib_more": round(sampled["daemon_private_mib"] - without["daemon_private_mib"], 2),
    }
    print(json.dumps(figures, indent=2))
    return 0 if cost <= PROMISE_PERCENT and sampled["file_bytes_a_child"] <= MOST_BYTES else 1


def measure(sample_seconds: float, options: argparse.Namespace) -> dict[str, Any]:
    """Return what a daemon costs that measures so often."""
    with new_project(SAMPLE_SECONDS=sample_seconds, MAX_PROCESSES=options.children) as project:
        target = f"benchmarks.daemon_at_work.jobs.{'take_and_give' if options.restless else 'idle'}"
        project.add_jobs({"name": "idle", "target": target, "processes": options.children, "start_grace": 0.05})
        daemon = project.start(os.open(os.devnull, os.O_WRONLY), READY_WITHIN_S)
        try:
            wait_until(lambda: project.picture()["daemon"]["unjournaled"] == 0, "a journal that has everything")
            time.sleep(REST_S + sample_seconds)
            return watch(project, daemon.pid, options)
        finally:
            daemon.terminate()
            daemon.wait(READY_WITHIN_S)


def watch(project: Project, pid: int, options: argparse.Namespace) -> dict[str, Any]:
    """Return the shares of one processor that daemon and ledger take, and what the daemon holds."""
    ledger = next(slot["pid"] for slot in project.picture()["slots"] if slot["name"] == "workerd.ledger")
    before, began = (processor_s(pid), processor_s(ledger)), time.monotonic()
    time.sleep(options.seconds)
    passed = time.monotonic() - began
    daemon_s, ledger_s = processor_s(pid) - before[0], processor_s(ledger) - before[1]
    picture, file = project.picture(), project.state_dir / "bench.samples"
    measured = [slot for slot in picture["slots"] if not slot["builtin"] and slot["memory"] is not None]
    return {
        "daemon_percent": round(daemon_s / passed * 100, 4),
        "ledger_percent": round(ledger_s / passed * 100, 4),
        "daemon_private_mib": private_mib(pid),
        "busiest_turn_ms": picture["daemon"]["busiest_turn_ms"],
        "measured": len(measured),
        "file_bytes_a_child": file.stat().st_size // options.children if file.exists() else 0,
    }


def processor_s(pid: int) -> float:
    """Return the processor time of all threads of a process."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def private_mib(pid: int) -> float:
    """Return the anonymous memory of a process."""
    rows = Path(f"/proc/{pid}/status").read_text().splitlines()
    return round(sum(int(row.split()[1]) for row in rows if row.startswith(("RssAnon:", "VmSwap:"))) / 1024, 2)


if __name__ == "__main__":
    sys.exit(main())

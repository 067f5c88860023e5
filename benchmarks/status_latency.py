"""How long the daemon's loop is busy with one ``status`` of 1,000 slots, also while its ledger is stuck.

Beside it the time that a client waits, and that of a ping. Run it as ``python -m benchmarks.status_latency``.
"""

import argparse
import os
import signal
import statistics
import sys
import time
from collections.abc import Callable

from benchmarks.daemon_at_work.project import Project, cpu_seconds, new_project, wait_until

ASKED = 50
PROMISE_MS = 50.0


def main() -> int:
    """Print the figures; 1 where a status takes longer than promised."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slots", type=int, default=1000)
    slots = parser.parse_args().slots
    with new_project() as project:
        rows = {"target": "benchmarks.daemon_at_work.jobs.idle", "processes": slots, "start_grace": 0.05}
        project.add_jobs({"name": "idle", **rows})
        began = time.monotonic()
        daemon = project.start(os.open(os.devnull, os.O_WRONLY))
        print(f"{slots} slots ready after {time.monotonic() - began:.1f} s")
        wait_until(lambda: project.picture()["daemon"]["unjournaled"] == 0, "a journal that has everything")
        good = [measure("with the database", project, daemon.pid)]
        ledger = next(slot["pid"] for slot in project.picture()["slots"] if slot["builtin"])
        os.kill(ledger, signal.SIGSTOP)  # what a database that swallows packets does to it, and nothing else of ours
        good.append(measure("with a ledger that is stuck", project, daemon.pid))
        os.kill(ledger, signal.SIGCONT)
        began = time.monotonic()
        daemon.terminate()
        daemon.wait()
        print(f"stopped after {time.monotonic() - began:.1f} s")
    return 0 if all(good) else 1


def measure(how: str, project: Project, pid: int) -> bool:
    """Print how long a status takes, for the client and of the loop; return whether the latter is as promised."""
    used = cpu_seconds(pid)
    waits = [timed(project.picture) for _ in range(ASKED)]
    loop_ms = (cpu_seconds(pid) - used) / ASKED * 1000
    pings = [timed(lambda: project.ask({"verb": "ping"})) for _ in range(ASKED)]
    print(
        f"{how}: status {statistics.median(waits):.1f} ms to the client (longest {max(waits):.1f}), "
        f"{loop_ms:.1f} ms of the loop; ping {statistics.median(pings):.2f} ms"
    )
    return loop_ms <= PROMISE_MS


def timed(call: Callable[[], object]) -> float:
    """Return the milliseconds that a call takes."""
    began = time.perf_counter()
    call()
    return (time.perf_counter() - began) * 1000


if __name__ == "__main__":
    sys.exit(main())

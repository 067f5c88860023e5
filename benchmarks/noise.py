"""What children that print short lines as fast as they can cost the daemon's loop, and its other children.

Three children make the noise. Meanwhile another child is killed again and again, one hangs, and pings are answered.
Run it as ``python -m benchmarks.noise``, on a machine with nothing else to do.
"""

import argparse
import json
import os
import signal
import statistics
import sys
import threading
import time
from typing import Any

from benchmarks.daemon_at_work.project import Project, cpu_seconds, new_project

NOISY = 3
LONGEST_TURN_MS = 100.0
BACK_WITHIN_S = 1.0
LIMIT_S = 2.0
HUNG_WITHIN_S = LIMIT_S + 1.0


def main() -> int:
    """Make noise with lines of each length; 1 where a promise did not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0)
    seconds = parser.parse_args().seconds
    good = [measure(text, seconds) for text in ("x", "x" * 10, "x" * 200, "", "x\r" * 20)]
    return 0 if all(good) else 1


def measure(text: str, seconds: float) -> bool:
    """Print what one kind of noise comes to; return whether all was as promised."""
    with new_project() as project:
        go = project.state_dir.parent / "go"
        target = "benchmarks.daemon_at_work.jobs."
        quick = {"start_grace": 0.05, "backoff_initial": 0}
        noise = {"target": f"{target}make_noise", "kwargs": {"go": str(go), "text": text}}
        hanging = {"target": f"{target}hang_when", "kwargs": {"go": str(go)}, "heartbeat_timeout": LIMIT_S}
        project.add_jobs(
            {"name": "noise", "processes": NOISY, **noise, **quick},
            {"name": "hanging", "restart": "never", **hanging, **quick},
            {"name": "killed", "target": f"{target}say_when", **quick},
        )
        reading, writing = os.pipe()
        reader = Reader(reading)
        daemon = project.start(writing)
        os.close(writing)
        before = project.picture()["daemon"]["longest_turn_ms"]
        used, began = cpu_seconds(daemon.pid), time.monotonic()
        go.touch()
        kills, pings = [], []
        while time.monotonic() < began + seconds:
            kills.append(kill(project))
            pings.append(ping(project))
            time.sleep(0.2)
        busy = (cpu_seconds(daemon.pid) - used) / (time.monotonic() - began)
        said = project.picture()["daemon"]
        longest, busiest = said["longest_turn_ms"], said["busiest_turn_ms"]
        daemon.send_signal(signal.SIGTERM)
        daemon.wait()
        reader.join()
    returns = [
        min((at - killed for at in reader.began if at > killed), default=float("inf")) for killed in kills if killed
    ]
    hung = reader.hung - reader.hangs if reader.hung else float("inf")
    print(f"{NOISY} children print lines of {text[:12]!r} × {len(text)}: daemon at {busy * 100:.0f} % of one processor")
    print(
        f"  {reader.lines / seconds:.0f} lines a second; longest turn {longest:.1f} ms (before: {before:.1f} ms),",
        end="",
    )
    print(f" of the daemon's own processor time {busiest:.1f} ms")
    print(f"  killed child back: p50 {statistics.median(returns) * 1000:.0f} ms, longest {max(returns) * 1000:.0f} ms")
    print(f"  ping: p50 {statistics.median(pings) * 1000:.1f} ms, longest {max(pings) * 1000:.1f} ms")
    print(f"  a child with a limit of {LIMIT_S:g} s was found to hang after {hung:.2f} s")
    return longest <= LONGEST_TURN_MS and max(returns) <= BACK_WITHIN_S and hung <= HUNG_WITHIN_S


def kill(project: Project) -> float:
    """Kill the child of the job ``killed``; return the moment of its death, 0 where it does not run."""
    pid = project.pid("killed")
    if pid:
        os.kill(pid, signal.SIGKILL)
    return time.monotonic() if pid else 0.0


def ping(project: Project) -> float:
    """Return how long an answer takes."""
    began = time.monotonic()
    project.ask({"verb": "ping"})
    return time.monotonic() - began


class Reader(threading.Thread):
    """Reads the daemon's log to its end, and keeps what the figures need."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self.lines = 0
        self.began: list[float] = []
        self.hangs = self.hung = 0.0
        self._file = os.fdopen(descriptor, "rb")
        self.start()

    def run(self) -> None:
        """Count lines of output; look at the other events."""
        with self._file as file:
            for line in file:
                self.lines += 1
                if b'"child.output"' not in line:
                    self._note(json.loads(line))

    def _note(self, event: dict[str, Any]) -> None:
        if event["event"] == "bench.began":
            self.began.append(event["at"])
        elif event["event"] == "bench.hangs":
            self.hangs = event["at"]
        elif event["event"] == "child.hung":
            self.hung = time.monotonic()


if __name__ == "__main__":
    sys.exit(main())

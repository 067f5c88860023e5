"""What the kernel alone takes: a bare fork of the loaded project that does nothing is killed again and again."""

import gc
import json
import os
import select
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping

FORKS = 60
SETTLED_S = 0.02


def measure_bare_forks(env: Mapping[str, str]) -> dict[str, float]:
    """Return the medians in milliseconds of a loaded project: of a fork, and from SIGKILL to the end of it."""
    words = [sys.executable, "-m", "benchmarks.restart_latency.bare_forks"]
    return dict(json.loads(subprocess.run(words, env=env, check=True, capture_output=True).stdout))


def kill(pid: int) -> tuple[int, int]:
    """Kill a process; return when, and when the kernel had ended it, in monotonic nanoseconds."""
    descriptor = os.pidfd_open(pid)
    poller = select.poll()
    poller.register(descriptor, select.POLLIN)
    killed = time.monotonic_ns()
    os.kill(pid, signal.SIGKILL)
    poller.poll()
    ended = time.monotonic_ns()
    os.close(descriptor)
    return killed, ended


def _load() -> None:
    import django

    django.setup()
    from workerd import registry, targets

    registry.autodiscover()
    targets.warm_up()
    gc.collect()
    gc.freeze()


def _fork_and_kill() -> tuple[float, float]:
    asked = time.monotonic_ns()
    pid = os.fork()
    if pid == 0:
        while True:
            signal.pause()
    forked = time.monotonic_ns()
    time.sleep(SETTLED_S)
    killed, ended = kill(pid)
    os.waitpid(pid, 0)
    return (forked - asked) / 1e6, (ended - killed) / 1e6


if __name__ == "__main__":
    _load()
    forks, ends_of_forks = zip(*(_fork_and_kill() for _ in range(FORKS)), strict=True)
    print(json.dumps({"bare_fork_ms": statistics.median(forks), "bare_end_ms": statistics.median(ends_of_forks)}))

"""What a printed line costs the daemon from the pipe's bytes to its line of the log, with its level looked for and not.

Both are measured by turns in one process. Run it as ``python -m benchmarks.printed_lines``.
"""

import os
import statistics
import time
from collections.abc import Callable
from unittest.mock import patch

from workerd.daemon.io import child_output
from workerd.daemon.io.child_output import ChildOutput
from workerd.daemon.io.log import EventLog
from workerd.daemon.io.loop import Loop
from workerd.daemon.rules.clock import SystemClock

ROUNDS = 15
SECONDS = 0.05
LINES = {
    "one letter": b"x",
    "prose": b"shipped 12 orders to the warehouse in 3 seconds",
    "ERROR:name:text": b"ERROR:shop.orders:order 7 has no address",
    "time and level": b"2026-01-01 10:00:00,000 ERROR shop.orders order 7 has no address",
    "logfmt": b'time=2026-01-01T10:00:00Z level=warn msg="order 7 has no address" order=7',
    "JSON": b'{"timestamp":"2026-01-01T10:00:00Z","level":"info","event":"order.shipped","order":7}',
    "JSON of 16 KB": b'{"level":"info","orders":[%s7]}' % (b'{"order":7,"to":"main"},' * 670),
}


class Nowhere:
    """A standard output that takes everything and keeps nothing."""

    def write_line(self, line: bytes) -> None:
        """Forget the line."""


def main() -> None:
    """Print both costs for each kind of line."""
    loop = Loop(SystemClock(), print)
    output = ChildOutput(loop, EventLog(Nowhere(), console=False), *os.pipe())
    output.identity = {"pid": 42, "job": "noise", "slot": "noise:1", "run": "0" * 36, "generation": 1}
    take: Callable[[bytes], None] = output._take
    for name, line in LINES.items():
        without, looked = [], []
        for _ in range(ROUNDS):
            with patch.object(child_output, "printed_level", lambda _: None):
                without.append(cost(take, line))
            looked.append(cost(take, line))
        plain, level = statistics.median(without) * 1e6, statistics.median(looked) * 1e6
        print(f"{name}: {plain:.2f} µs without a level, {level:.2f} µs with it: {(level / plain - 1) * 100:+.0f} %")


def cost(take: Callable[[bytes], None], line: bytes) -> float:
    """Return the processor's seconds for one line."""
    count, began = 0, time.process_time()
    while (used := time.process_time() - began) < SECONDS:
        for _ in range(20):
            take(line)
        count += 20
    return used / count


if __name__ == "__main__":
    main()

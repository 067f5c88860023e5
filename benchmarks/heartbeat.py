"""What a beat costs a child: a bare beat, one with a note, one with a note made by an f-string.

Prints the median of many rounds in microseconds beside the figure to hold: ``python -m benchmarks.heartbeat``.
"""

import statistics
import sys
import time
import timeit
from collections.abc import Callable

from workerd.child.beats import Beats
from workerd.child.context import JobContext
from workerd.child.runtime import ProcessRuntime
from workerd.child.stopping import StopRequest
from workerd.wire.messages import Message
from workerd.wire.page import HeartbeatPage

ROUNDS = 51
BEATS = 20_000


def median_us(work: Callable[[], object]) -> float:
    """Return the median processor time of one call, the empty call's own taken off."""
    rounds = timeit.repeat(work, timer=time.process_time, number=BEATS, repeat=ROUNDS)
    empty = timeit.repeat(lambda: None, timer=time.process_time, number=BEATS, repeat=ROUNDS)
    return max(0.0, statistics.median(rounds) - statistics.median(empty)) / BEATS * 1e6


class NoSender:
    """Stands where messages to the daemon would go."""

    def send(self, message: Message) -> None:
        """Drop the message."""


def main() -> None:
    """Measure what a job calls, ``context.beat``, on a real page."""
    page, stop = HeartbeatPage.create(), StopRequest()
    beats = Beats(page, heartbeat_timeout=60.0)
    context = JobContext(
        "feed", 0, "a run", beats=beats, stop=stop, runtime=ProcessRuntime(beats, stop), sender=NoSender(), log=None
    )
    order = 4711
    cases: list[tuple[str, Callable[[], object], str]] = [
        ("beat", context.beat, "   to hold: 0.3 µs"),
        ("beat with a note", lambda: context.beat("shipped 4711"), "   to hold: 0.8 µs"),
        ("beat with an f-string", lambda: context.beat(f"shipped {order}"), ""),
    ]
    print(f"median of {ROUNDS} rounds of {BEATS:,} beats, Python {sys.version.split()[0]}")
    for name, work, held in cases:
        print(f"{name:24}{median_us(work):6.3f} µs{held}")
    stop.close()
    page.close()


if __name__ == "__main__":
    main()

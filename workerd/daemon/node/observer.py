"""The observer as the daemon knows it: a slot of its own where HTTP_BIND is set, and the counts that it is given."""

import json
import sys
from bisect import bisect_left
from collections import Counter
from typing import Any

from workerd.daemon.processes.program import Program
from workerd.wire import WIRE_VERSION
from workerd.wire.config import DaemonConfig
from workerd.wire.spec import JobSpec

NAME = "workerd.observer"

RUN_BOUNDS_S = (0.1, 1.0, 10.0, 60.0, 600.0, 3600.0, 21600.0, 86400.0, 604800.0)
BIRTH_BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
LATE_BOUNDS_S = (0.05, 0.1, 0.5, 1.0, 5.0, 30.0, 60.0, 300.0, 600.0, 3600.0)
MOST_SERIES = 500
"""A job may log anything under the name of a workerd event: beyond this many label values, the rest are “other”."""
_EVENT = b'"event":"'
_NEAR_THE_START = 100
_LABELS = {
    "connection.opened": ("alias",),
    "connection.closed": ("alias", "reason"),
    "connection.failed": ("alias", "error"),
    "connection.discarded": ("alias",),
    "seat.lost": (),
    "seat.taken_over": (),
}
_TIMES = {
    "child.exited": ("child.exited", "seconds", 1.0),
    "child.born": ("child.born", "ms", 1e-3),
    "fork.prepared": ("fork.prepared", "ms", 1e-3),
    "late": ("child.born", "late_s", 1.0),
}
"""By what is timed: the event that tells it, its field, and how many seconds that counts."""
_TIMED = {event for event, _, _ in _TIMES.values()}


def observer_spec(config: DaemonConfig) -> JobSpec:
    """Return the observer's spec, with all that it needs to know."""
    return JobSpec(
        name=NAME,
        target=NAME,
        kwargs={"bind": config.http_bind, "state_dir": config.state_dir},
        backoff_max=5.0,
        start_grace=0.1,
        heartbeat_timeout=30.0,
        stop_timeout=1.0,
    )


def observer_program(config: DaemonConfig, limits: tuple[int, int]) -> Program:
    """Return the observer's program; it answers whether or not the project loads, so it is none of its forks."""
    return Program((sys.executable, "-P", "-m", NAME, str(WIRE_VERSION)), config.tree, limits)


class Times:
    """A histogram: how often something took how long."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def note(self, seconds: float) -> None:
        self._counts[bisect_left(self._bounds, seconds)] += 1
        self._sum += seconds

    def snapshot(self) -> dict[str, Any]:
        """Return plain values."""
        return {"bounds": self._bounds, "counts": self._counts, "sum": self._sum}


class Counters:
    """A tap on the log: every line comes by, few are looked into."""

    def __init__(self) -> None:
        self._lines = self._dropped = 0
        self._events: Counter[tuple[str, ...]] = Counter()
        self._times = {
            "child.exited": Times(RUN_BOUNDS_S),
            "child.born": Times(BIRTH_BOUNDS_S),
            "fork.prepared": Times(BIRTH_BOUNDS_S),
            "late": Times(LATE_BOUNDS_S),
        }

    def count_line(self, line: bytes) -> None:
        """Count a line of the log. A line that workerd rendered begins with timestamp, level and event."""
        self._lines += 1
        at = line.find(_EVENT, 0, _NEAR_THE_START)
        if at < 0:
            return
        name = line[at + len(_EVENT) : line.find(b'"', at + len(_EVENT))].decode("ascii", "replace")
        if name in _LABELS or name in _TIMED or name == "log.dropped":
            self._count(name, line)

    def snapshot(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "lines": self._lines,
            "dropped": self._dropped,
            "events": [[*series, count] for series, count in self._events.items()],
            "times": {name: times.snapshot() for name, times in self._times.items()},
        }

    def _count(self, name: str, line: bytes) -> None:
        try:
            event = json.loads(line)
        except ValueError:
            return
        if name in _LABELS:
            series = (name, *(str(event.get(label))[:60] for label in _LABELS[name]))
            known = series in self._events or len(self._events) < MOST_SERIES
            self._events[series if known else (name, *("other" for _ in _LABELS[name]))] += 1
        for timed, (told_by, field, unit) in _TIMES.items():
            took = event.get(field) if told_by == name else None
            if isinstance(took, int | float):
                self._times[timed].note(took * unit)
        if name == "log.dropped" and isinstance(event.get("lines"), int):
            self._dropped += event["lines"]

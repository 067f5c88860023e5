"""Has the log say how the sending goes: the exporter writes events of its own, as a job's logging does."""

import math
import os
import time
from collections import Counter
from datetime import UTC, datetime
from typing import Any

from workerd.wire import events
from workerd.wire.json_lines import render
from workerd.wire.marked_lines import LINE_BYTES, pack
from workerd.wire.messages import License

from .lane import Lane

STDOUT = 1
DROPS_EVERY_S = 10.0
"""The time over which drops are summed up: they go on while the collector is away."""


class Teller:
    """Tells of each lane when it begins to fail, when it recovers, and from time to time what was dropped."""

    def __init__(self, license: License) -> None:  # noqa: A002 - the message's name
        self._mark = license.mark.encode()
        name = license.spec["name"]
        self._identity = {"job": name, "slot": name, "run": license.run}
        self._failing: dict[str, float] = {}
        self._drops: dict[str, Counter[str]] = {}
        self._told_drops = -math.inf

    def tell(self, lane: Lane) -> None:
        """Tell what has changed."""
        since, told = lane.failing_since, self._failing.get(lane.what)
        if since is not None and told is None:
            self._failing[lane.what] = since
            self.emit("export.failed", what=lane.what, reason=lane.reason)
        elif since is None and told is not None:
            del self._failing[lane.what]
            self.emit("export.recovered", what=lane.what, outage_s=round(time.monotonic() - told, 3))
        for reason, count in lane.take_dropped().items():
            self.dropped(lane.what, count, reason)
        self._tell_drops()

    def dropped(self, what: str, count: int, reason: str) -> None:
        """Count what was dropped; it is told soon."""
        self._drops.setdefault(what, Counter())[reason] += count

    def finish(self) -> None:
        """Tell at once what was dropped."""
        self._told_drops = -math.inf
        self._tell_drops()

    def _tell_drops(self) -> None:
        now = time.monotonic()
        if not self._drops or now - self._told_drops < DROPS_EVERY_S:
            return
        drops, self._drops, self._told_drops = self._drops, {}, now
        for what, counts in drops.items():
            for reason, count in counts.items():
                self.emit("export.dropped", what=what, count=count, reason=reason)

    def emit(self, name: str, **fields: Any) -> None:
        now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        said = {"timestamp": now, "level": events.EVENTS[name].level, "event": name, "pid": os.getpid()}
        line = render({**said, **self._identity, **fields}, LINE_BYTES, own=events.FIRST_KEYS)
        for packet in pack(self._mark, "export", line):
            os.write(STDOUT, packet)

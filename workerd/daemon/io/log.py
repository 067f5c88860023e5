"""The daemon's log: its own events and its children's lines, as JSON, or in colours for a person at a terminal."""

import json
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Protocol

from workerd.wire import events
from workerd.wire.console import Console, format_event
from workerd.wire.json_lines import render
from workerd.wire.visible import visible

from .feed import Feed
from .last_lines import LastLines
from .throttle import Throttle

HISTORY_LINES = 1000
HISTORY_BYTES = 2 * 1024 * 1024
"""How many lines are kept, for ``tail`` to show the past."""

THROTTLED = {"protocol.violated": ("slot", "pid"), "daemon.degraded": ("slot", "reason")}
"""Events that a job's code, or a fault that stays, causes as often as it likes; and the fields that tell them apart."""


class LineTaker(Protocol):
    """Takes the lines of the log: the daemon's standard output."""

    def write_line(self, line: bytes) -> None:
        """Take one line with its newline."""


class EventLog:
    """Renders events, passes lines on, keeps the last ones. Each tap gets each line as JSON, without its newline."""

    def __init__(self, lines: LineTaker, console: bool, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._lines = lines
        self._throttle = Throttle(monotonic)
        self._console = _console_renderer() if console else None
        self.history = LastLines(HISTORY_LINES, HISTORY_BYTES)
        self.taps: set[Callable[[bytes], None]] = set()
        self.feed: Feed | None = None
        """Gets each line, too, where there is an exporter."""

    def emit(self, name: str, /, level: str | None = None, **fields: Any) -> None:
        """Log an event at its level in the table, or at ``level``; but not too often what has no end."""
        if name in THROTTLED:
            kept_back = self._throttle.admit((name, *(fields.get(key) for key in THROTTLED[name])))
            if kept_back is None:
                return
            fields["kept_back"] = kept_back or None
        fields.setdefault("pid", os.getpid())
        now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        said = {"timestamp": now, "level": level or events.EVENTS[name].level, "event": name, **fields}
        self._pass_on(render(_in_order(said), own=events.FIRST_KEYS), own=True)

    def relay(self, line: bytes) -> None:
        """Pass on a line of JSON that a child has rendered."""
        self._pass_on(line, own=False)

    def _pass_on(self, line: bytes, *, own: bool) -> None:
        self.history.append(line)
        for tap in tuple(self.taps):
            tap(line)
        if self.feed is not None:
            self.feed.append(line, own=own)
        self._lines.write_line((line if self._console is None else self._format_event(line)) + b"\n")

    def _format_event(self, line: bytes) -> bytes:
        assert self._console is not None
        try:
            return format_event(self._console, json.loads(line)).encode("utf-8", "replace")
        except (ValueError, TypeError, AttributeError):
            return visible(line.decode("utf-8", "replace")).encode()


def _in_order(fields: dict[str, Any]) -> dict[str, Any]:
    ordered = {key: fields.pop(key) for key in events.FIRST_KEYS if key in fields}
    return {**ordered, **{key: value for key, value in fields.items() if value is not None}}


def _console_renderer() -> Console:
    import structlog  # only a terminal needs it: to load it takes as long as half of the daemon

    return structlog.dev.ConsoleRenderer(colors=True, sort_keys=False)

"""The daemon's log as it arrives: its lines, and the events that they are."""

import json
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from typing import IO, Any

from .waiting import TooLateError

Event = dict[str, Any]


class Log:
    """Reads a stream of JSON lines in a thread and answers questions about them, waiting where asked to."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._events: list[Event] = []
        self._changed = threading.Condition()
        self._reader: threading.Thread | None = None
        self._may_read = threading.Event()
        self._may_read.set()

    def target(self) -> IO[bytes] | int:
        """Return what the daemon gets as its standard output."""
        return subprocess.PIPE

    def begin(self, process: subprocess.Popen[str]) -> None:
        """Take what the daemon writes, until its end."""
        assert process.stdout is not None
        self.read(process.stdout)

    def read(self, stream: IO[str]) -> None:
        """Take the lines of ``stream`` until its end."""
        self._reader = threading.Thread(target=self._read, args=(stream,), name="log", daemon=True)
        self._reader.start()

    def stall(self) -> None:
        """Read no more than is read already, as a log collector that hangs."""
        self._may_read.clear()

    def go_on(self) -> None:
        """Read again."""
        self._may_read.set()

    def wait_for_end(self, within: float = 5.0) -> None:
        """Return when the stream has ended: when every process that held it is gone."""
        if self._reader:
            self._reader.join(within)
            if self._reader.is_alive():
                raise TooLateError("the end of the daemon's output", within, self.lines[-1:])

    @property
    def position(self) -> int:
        """How many events there are so far; a ``since`` for later questions."""
        with self._changed:
            return len(self._events)

    @property
    def foreign_lines(self) -> list[str]:
        """Lines that are not a JSON object with an event: there should be none."""
        return [line for line in list(self.lines) if "event" not in _parse(line)]

    def events(self, name: str = "", /, *, since: int = 0, **match: Any) -> list[Event]:
        """Return the events of that name (any, if empty) whose fields are as ``match`` says.

        A value may also be a function that says whether a field's value will do.
        """
        with self._changed:
            return [event for event in self._events[since:] if _matches(event, name, match)]

    def wait_event(self, name: str, /, *, within: float = 10.0, since: int = 0, **match: Any) -> Event:
        """Return the first such event, waiting for it."""
        return self.wait_events(name, 1, within=within, since=since, **match)[0]

    def wait_events(
        self, name: str, count: int, /, *, within: float = 10.0, since: int = 0, **match: Any
    ) -> list[Event]:
        """Return such events as soon as there are ``count`` of them."""
        deadline = time.monotonic() + within
        found: list[Event] = []
        with self._changed:
            while True:
                found += [event for event in self._events[since:] if _matches(event, name, match)]
                since = max(since, len(self._events))
                if len(found) >= count:
                    return found
                left = deadline - time.monotonic()
                if left <= 0:
                    raise TooLateError(f"{count} × {name} {match or ''}", within, found[-3:])
                self._changed.wait(left)

    def text(self) -> str:
        """The whole log, for a failed test's report."""
        return "\n".join(self.lines)

    def _read(self, stream: IO[str]) -> None:
        with stream:
            for line in stream:
                self._may_read.wait()
                self.add(line.rstrip("\n"))

    def add(self, line: str) -> None:
        """Take one line."""
        event = _parse(line)
        with self._changed:
            self.lines.append(line)
            if "event" in event:
                self._events.append(event)
                self._changed.notify_all()


def _parse(line: str) -> Event:
    try:
        event = json.loads(line)
    except ValueError:
        return {}
    return event if isinstance(event, dict) else {}


def _matches(event: Event, name: str, match: Mapping[str, Any | Callable[[Any], bool]]) -> bool:
    if name and event["event"] != name:
        return False
    return all(
        wanted(event.get(field)) if callable(wanted) else event.get(field) == wanted for field, wanted in match.items()
    )

"""The daemon's log as it arrives: its lines, and the events that they are."""

import fcntl
import json
import os
import select
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Callable, Mapping
from typing import IO, Any

from .waiting import WITHIN_S, TooLateError

Event = dict[str, Any]
CHUNK_BYTES = 1 << 16


class Log:
    """Reads a stream of JSON lines in a thread and answers questions about them, waiting where asked to.

    Whoever asks is told of all that is in the pipe by then, whether or not the thread has had its turn.
    """

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._events: list[Event] = []
        self._descriptor = -1
        """Of the stream; -1 while there is none, and after its end."""
        self._rest = b""
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
        self._descriptor = stream.fileno()
        os.set_blocking(self._descriptor, False)
        self._reader = threading.Thread(target=self._read, args=(stream,), name="log", daemon=True)
        self._reader.start()

    def stall(self) -> None:
        """Read no more than is read already, as a log collector that hangs."""
        self._may_read.clear()

    def go_on(self) -> None:
        """Read again."""
        self._may_read.set()

    def wait_for_end(self, within: float = WITHIN_S) -> None:
        """Return when the stream has ended: when every process that held it is gone."""
        if self._reader:
            self._reader.join(within)
            if self._reader.is_alive():
                raise TooLateError("the end of the daemon's output", within, self.lines[-1:])

    @property
    def lines(self) -> list[str]:
        """The lines so far."""
        with self._changed:
            self._catch_up()
            return list(self._lines)

    @property
    def position(self) -> int:
        """How many events there are so far; a ``since`` for later questions."""
        with self._changed:
            self._catch_up()
            return len(self._events)

    @property
    def foreign_lines(self) -> list[str]:
        """Lines that are not a JSON object with an event: there should be none."""
        return [line for line in self.lines if "event" not in _parse(line)]

    def events(self, name: str = "", /, *, since: int = 0, **match: Any) -> list[Event]:
        """Return the events of that name (any, if empty) whose fields are as ``match`` says.

        A value may also be a function that says whether a field's value will do.
        """
        with self._changed:
            self._catch_up()
            return [event for event in self._events[since:] if _matches(event, name, match)]

    def wait_event(self, name: str, /, *, within: float = WITHIN_S, since: int = 0, **match: Any) -> Event:
        """Return the first such event, waiting for it."""
        return self.wait_events(name, 1, within=within, since=since, **match)[0]

    def wait_events(
        self, name: str, count: int, /, *, within: float = WITHIN_S, since: int = 0, **match: Any
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
        ready = select.poll()
        ready.register(stream, select.POLLIN)
        with stream:
            while self._descriptor >= 0:
                ready.poll()
                self._may_read.wait()
                with self._changed:
                    self._take_chunk()

    def _catch_up(self) -> None:
        """Take what the pipe holds now, and no more: a daemon may write for ever."""
        left = self._unread() if self._may_read.is_set() else 0
        while left > 0 and (size := self._take_chunk()):
            left -= size

    def _unread(self) -> int:
        """Return how many bytes the pipe holds."""
        if self._descriptor < 0:
            return 0
        (size,) = struct.unpack("i", fcntl.ioctl(self._descriptor, termios.FIONREAD, bytes(4)))
        return int(size)

    def _take_chunk(self) -> int:
        """Take a part of what is there; return its size, 0 where there is nothing, now or ever."""
        try:
            chunk = os.read(self._descriptor, CHUNK_BYTES) if self._descriptor >= 0 else b""
        except BlockingIOError:
            return 0
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        if not chunk:
            self._descriptor = -1
            lines, self._rest = [self._rest] if self._rest else [], b""
        for line in lines:
            self.add(line.decode(errors="replace"))
        return len(chunk)

    def add(self, line: str) -> None:
        """Take one line."""
        event = _parse(line)
        with self._changed:
            self._lines.append(line)
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

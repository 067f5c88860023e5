"""One client of the control socket: its requests and its answers. The daemon waits for neither."""

import json
import select
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, NamedTuple

from .loop import READ, SHARE_S, WRITE, Loop

REQUEST_BYTES = 64 * 1024
PATIENCE_S = 30.0
"""A client that sends no whole request for this long, and waits for no answer, is hung up on."""
BACKLOG_BYTES = 64 * 1024
"""While a client has more than this to read, its next requests are not read."""
STREAM_BYTES = 1024 * 1024
"""A reader of ``tail`` that is further behind than this loses lines, and is told how many."""

Answer = dict[str, Any]
Request = Callable[["ControlConnection", dict[str, Any]], None]


class Peer(NamedTuple):
    """The client's process."""

    user: str
    pid: int


class ControlConnection:
    """Hands each line to ``on_request``, which answers now or later: by one ``reply``, or by many ``stream``."""

    def __init__(
        self,
        loop: Loop,
        connection: socket.socket,
        peer: Peer,
        on_request: Request,
        on_close: "Callable[[ControlConnection], None]",
    ) -> None:
        self._loop = loop
        self._connection = connection
        self.peer = peer
        self._on_request = on_request
        self._hang_ups: list[Callable[[], None]] = [lambda: on_close(self)]
        self._request = b""
        self._answers = bytearray()
        self._dropped = 0
        self._flush_is_due = self._stuck = False
        self._is_taking_parts = False
        self._under_way = 0
        self._quiet_since = loop.clock.monotonic()
        self._open = True
        connection.setblocking(False)
        loop.watch(connection.fileno(), READ, self._ready)
        self._patience = loop.call_in(PATIENCE_S, self._lose_patience)

    def reply(self, answer: Answer) -> None:
        """Answer a request; nothing is sent if the client has gone."""
        self._answered(json.dumps(answer, default=str).encode())

    def _answered(self, line: bytes) -> None:
        self._under_way -= 1
        self._quiet_since = self._loop.clock.monotonic()
        self._send(line)

    def reply_in_parts(self, parts: Iterator[bytes]) -> None:
        """Answer a request by the line that the parts make, which are taken as there is time for them in each turn."""
        self._is_taking_parts = True
        self._take_parts(parts, [])

    def _take_parts(self, parts: Iterator[bytes], taken: list[bytes]) -> None:
        until = self._loop.clock.monotonic() + SHARE_S
        for part in parts if self._open else ():
            taken.append(part)
            if self._loop.clock.monotonic() >= until:
                self._loop.call_next(lambda: self._take_parts(parts, taken))
                return
        self._is_taking_parts = False
        self._answered(b"".join(taken))

    def stream(self, line: bytes) -> None:
        """Send one more line. A client that is too far behind gets none until it has read half of what waits for it."""
        if self._dropped or len(self._answers) > STREAM_BYTES:
            self._dropped += 1
        else:
            self._send(line)

    @property
    def idle_since(self) -> float | None:
        """The monotonic time since which it has asked nothing; None while it waits for an answer or has one to read."""
        return None if self._under_way > 0 or self._answers else self._quiet_since

    @property
    def is_left(self) -> bool:
        """Whether the client has closed its end, so that nobody waits for an answer."""
        poll = select.poll()
        poll.register(self._connection, 0)  # POLLHUP comes unasked, and only once both directions are closed
        return not self._open or bool(poll.poll(0))

    def when_closed(self, call: Callable[[], None]) -> None:
        """Call once when the connection is closed."""
        self._hang_ups.append(call)

    def close(self) -> None:
        """Hang up, after one last try to send the answers that wait."""
        if self._open:
            self._open = False
            with suppress(OSError):
                self._connection.send(self._answers, socket.MSG_NOSIGNAL)
            self._patience.cancel()
            self._loop.unwatch(self._connection.fileno())
            self._connection.close()
            for call in self._hang_ups:
                call()

    def _lose_patience(self) -> None:
        if self._under_way > 0:
            self._patience = self._loop.call_in(PATIENCE_S, self._lose_patience)
        else:
            self.close()

    def _send(self, line: bytes) -> None:
        if self._open:
            self._answers += line
            self._answers += b"\n"
            if not (self._stuck or self._flush_is_due):
                self._flush_is_due = True
                self._loop.call_soon(self._flush)  # one write for all that this turn has to say

    def _flush(self) -> None:
        self._flush_is_due = False
        if not self._open:
            return
        try:
            sent = self._connection.send(self._answers, socket.MSG_NOSIGNAL) if self._answers else 0
        except BlockingIOError:
            sent = 0
        except OSError:
            self.close()
            return
        del self._answers[:sent]
        self._tell_what_was_dropped()
        self._stuck = bool(self._answers)
        interest = (WRITE if self._stuck else 0) | (READ if self._has_room else 0)
        self._loop.watch(self._connection.fileno(), interest, self._ready)
        self._take_lines()

    def _tell_what_was_dropped(self) -> None:
        """Say how many lines were dropped, at the place of the gap: after what still waits, before what comes next."""
        if self._dropped and len(self._answers) <= STREAM_BYTES // 2:
            dropped = {"event": "log.dropped", "level": "warning", "lines": self._dropped}
            self._answers += json.dumps(dropped).encode() + b"\n"
            self._dropped = 0

    @property
    def _has_room(self) -> bool:
        return len(self._answers) <= BACKLOG_BYTES and not self._is_taking_parts

    def _ready(self, events: int) -> None:
        if events & WRITE:
            self._flush()
        if events & READ and self._open and self._has_room:
            self._read()
            self._take_lines()

    def _read(self) -> None:
        try:
            chunk = self._connection.recv(REQUEST_BYTES)
        except BlockingIOError:
            return
        except OSError:
            chunk = b""
        if not chunk:
            self.close()
            return
        self._request += chunk
        if len(self._request) > REQUEST_BYTES and b"\n" not in self._request:
            self._refuse(f"a request is one line of at most {REQUEST_BYTES} bytes")
            self.close()

    def _take_lines(self) -> None:
        while self._open and self._has_room and b"\n" in self._request:
            line, self._request = self._request.split(b"\n", 1)
            self._take(line)

    def _take(self, line: bytes) -> None:
        try:
            request = json.loads(line)
        except (ValueError, RecursionError):
            self._refuse("a request is one JSON object on one line")
            return
        if not isinstance(request, dict) or not isinstance(request.get("verb"), str):
            self._refuse('a request is a JSON object with a "verb"')
            return
        self._under_way += 1
        self._on_request(self, request)

    def _refuse(self, reason: str) -> None:
        self._send(json.dumps({"ok": False, "error": reason}).encode())

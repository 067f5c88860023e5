"""The observer's HTTP server: a thread for each request, limited in time and number, so that none is shut out."""

import socket
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from workerd.wire.asking import ask

from . import answers
from .answers import Answer

REQUEST_S = 5.0
"""From the connection to the last byte of the answer, however often a client sends a byte."""
DAEMON_PATIENCE_S = 2.0
MOST_AT_ONCE = 32
"""Of more connections the oldest goes: a request is answered within milliseconds, so it is one that stands still."""
MOST_THREADS = 2 * MOST_AT_ONCE
"""A thread whose connection went may still wait for the daemon."""


class Server(ThreadingHTTPServer):
    """Listens at ``HOST:PORT`` or ``[HOST]:PORT`` and asks the daemon for each answer."""

    # A client that reads slowly must not hold up the end of the process.
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, bind: str, state_dir: Path, name: str) -> None:
        host, _, port = bind.rpartition(":")
        self.address_family = socket.AF_INET6 if host.startswith("[") else socket.AF_INET
        self._state_dir = state_dir
        self._name = name
        self._opened: dict[Any, float] = {}
        """When each connection was accepted, the oldest first."""
        self._running = 0
        self._lock = threading.Lock()
        super().__init__((host.strip("[]"), int(port)), Handler)

    def ask(self, verb: str) -> dict[str, Any]:
        """Return the daemon's answer to ``verb``. Raises OSError or ValueError where none comes in time."""
        return ask(self._state_dir, self._name, {"verb": verb}, DAEMON_PATIENCE_S)

    # The loop that accepts connections also beats, so none of these waits.

    def verify_request(self, request: Any, client_address: Any) -> bool:  # noqa: ARG002 - the base class's signature
        """Give the connection a place, that of the oldest one where there is no other."""
        with self._lock:
            if self._running >= MOST_THREADS:
                return False
            self._opened[request] = time.monotonic()
            oldest = next(iter(self._opened)) if len(self._opened) > MOST_AT_ONCE else None
        if oldest is not None:
            self._hang_up(oldest)
        return True

    def end_overdue(self) -> None:
        """Hang up on every client that has had its time."""
        begun = time.monotonic() - REQUEST_S
        with self._lock:
            overdue = [request for request, moment in self._opened.items() if moment < begun]
        for request in overdue:
            self._hang_up(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._running += 1
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._lock:
                self._running -= 1

    def close_request(self, request: Any) -> None:
        """Close the connection and give its place back: the base class comes here in every case, once or twice."""
        with self._lock:
            self._opened.pop(request, None)
        super().close_request(request)

    def _hang_up(self, request: Any) -> None:
        """End what the request's thread waits for; the thread closes the connection."""
        with self._lock:
            self._opened.pop(request, None)
        with suppress(OSError):  # it is closed by now
            request.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # a client that hangs up is no fault of ours, and a traceback for each would fill the log


class Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    server: Server
    timeout = REQUEST_S
    server_version = "workerd"
    sys_version = ""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        answer = answers.PATHS.get(path, answers.not_found)
        self._send(answer(self.server.ask))

    do_HEAD = do_GET  # noqa: N815 - the base class looks for it by this name

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        pass  # no access log: a scrape every few seconds would fill the log

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.kind)
        self.send_header("Content-Length", str(len(answer.body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

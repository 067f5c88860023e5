"""The observer's HTTP server: one thread per request, and a limit on how many run at once."""

import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from workerd.wire.asking import ask

from . import answers
from .answers import Answer

CLIENT_PATIENCE_S = 5.0
DAEMON_PATIENCE_S = 2.0
MOST_AT_ONCE = 32


class Server(ThreadingHTTPServer):
    """Listens at ``HOST:PORT`` or ``[HOST]:PORT`` and asks the daemon for each answer."""

    # A client that reads slowly must not hold up the end of the process.
    daemon_threads = True
    block_on_close = False

    def __init__(self, bind: str, state_dir: Path, name: str) -> None:
        host, _, port = bind.rpartition(":")
        self.address_family = socket.AF_INET6 if host.startswith("[") else socket.AF_INET
        self._state_dir = state_dir
        self._name = name
        self._places = threading.BoundedSemaphore(MOST_AT_ONCE)
        super().__init__((host.strip("[]"), int(port)), Handler)

    def ask(self, verb: str) -> dict[str, Any]:
        """Return the daemon's answer to ``verb``. Raises OSError or ValueError where none comes in time."""
        return ask(self._state_dir, self._name, {"verb": verb}, DAEMON_PATIENCE_S)

    def verify_request(self, request: Any, client_address: Any) -> bool:  # noqa: ARG002 - the base class's signature
        # No place left: the request is refused at once. The loop that accepts it also beats, so it must not wait.
        return self._places.acquire(blocking=False)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # a client that hangs up is no fault of ours, and a traceback for each would fill the log


class Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    server: Server
    timeout = CLIENT_PATIENCE_S
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

"""A real SMTP server and a real HTTP server that get alerts, and that may refuse, fail or hang."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller


class MailBox:
    """A handler of aiosmtpd: it keeps what comes, or answers with ``refusal``."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.raw: list[bytes] = []
        self.to: list[list[str]] = []
        self.refusal = ""
        self.port = 0

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        if self.refusal:
            return self.refusal
        mail = message_from_bytes(envelope.content, policy=default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        self.raw.append(envelope.content)
        self.to.append(envelope.rcpt_tos)
        return "250 kept"

    @property
    def subjects(self) -> list[str]:
        return [str(mail["Subject"]) for mail in self.mails]


@contextmanager
def smtp_server() -> Iterator[MailBox]:
    box = MailBox()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        box.port = free.getsockname()[1]
    controller = Controller(box, hostname="127.0.0.1", port=box.port)
    controller.start()
    try:
        yield box
    finally:
        controller.stop()


class Post:
    """A request that has come: its headers and its body, as bytes and read as JSON."""

    def __init__(self, headers: dict[str, str], body: bytes, path: str) -> None:
        self.headers = headers
        self.body = body
        self.path = path
        self.json: dict[str, Any] = json.loads(body)

    @property
    def id(self) -> str:
        return self.headers["Idempotency-Key"]


class Hook:
    """An HTTP server: it answers ``code``, or nothing while ``hanging``; ``posts`` are those it has answered 200."""

    def __init__(self) -> None:
        self.code = 200
        self.location = ""
        self.posts: list[Post] = []
        self.tries: list[Post] = []
        self.hanging = threading.Event()
        self.released = threading.Event()
        self.url = ""

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers["Content-Length"] or 0))
        post = Post(dict(request.headers), body, request.path)
        self.tries.append(post)
        if self.hanging.is_set():
            self.released.wait(60)
            return
        if self.code == 200:
            self.posts.append(post)
        request.send_response(self.code)
        if self.location:
            request.send_header("Location", self.location)
        request.send_header("Content-Length", "0")
        request.end_headers()


@contextmanager
def http_server() -> Iterator[Hook]:
    hook = Hook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            hook.answer(self)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    hook.url = f"http://127.0.0.1:{server.server_address[1]}/alerts"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield hook
    finally:
        hook.released.set()
        server.shutdown()
        thread.join()
        server.server_close()

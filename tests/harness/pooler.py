"""A pooler in front of PostgreSQL that lends sessions as PgBouncer does: what a server says unasked goes to nobody."""

import contextlib
import socket
import threading
from typing import Self

_SSL_REQUEST, _GSS_REQUEST = 80877103, 80877104
_NOTIFICATION, _READY, _KEY = b"A", b"Z", b"K"


class Pooler:
    """Listens on the loopback; each client has a session of its own, but hears its server only when it has asked."""

    def __init__(self, host: str, port: int) -> None:
        self._server = host, port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), client, socket.create_connection(self._server) as server:
            length = _exactly(client, 4)
            start = _exactly(client, int.from_bytes(length, "big") - 4)
            while int.from_bytes(start[:4], "big") in {_SSL_REQUEST, _GSS_REQUEST}:
                client.sendall(b"N")
                length = _exactly(client, 4)
                start = _exactly(client, int.from_bytes(length, "big") - 4)
            server.sendall(length + start)
            asked = threading.Event()
            asked.set()
            threading.Thread(target=_pass_answers, args=(server, client, asked), daemon=True).start()
            while data := client.recv(65536):
                asked.set()
                server.sendall(data)


def _pass_answers(server: socket.socket, client: socket.socket, asked: threading.Event) -> None:
    """Pass the server's messages on, but none that comes while the client has asked nothing."""
    with contextlib.suppress(OSError):
        while kind := _exactly(server, 1):
            length = _exactly(server, 4)
            body = _exactly(server, int.from_bytes(length, "big") - 4)
            if kind == _KEY:
                body = bytes(len(body))  # the pooler's own, not the session's
            if asked.is_set() or kind != _NOTIFICATION:
                client.sendall(kind + length + body)
            if kind == _READY:
                asked.clear()


def _exactly(sock: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = sock.recv(count - len(data))
        if not piece:
            raise ConnectionResetError
        data += piece
    return data

"""The observer's HTTP server answers whoever asks, whatever others do with their connections."""

import http.client
import select
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.harness.waiting import eventually
from workerd.observer import server as module
from workerd.observer.server import MOST_AT_ONCE, Server


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server of which the daemon answers at once."""
    monkeypatch.setattr(module, "REQUEST_S", 3.0)
    monkeypatch.setattr(module.Handler, "timeout", 60.0)  # so that only the deadline of the whole request is tested
    monkeypatch.setattr(Server, "ask", lambda _self, _verb: {})
    server = Server("127.0.0.1:0", tmp_path, "shop")
    done = threading.Event()
    thread = threading.Thread(target=serve, args=(server, done))
    thread.start()
    yield server
    done.set()
    thread.join()
    server.server_close()


def serve(server: Server, done: threading.Event) -> None:
    """Be the observer's main loop."""
    while not done.is_set():
        server.end_overdue()
        if select.select([server.fileno()], (), (), 0.05)[0]:
            server.handle_request()


def address(server: Server) -> tuple[str, int]:
    host, port = server.server_address[:2]
    return str(host), int(port)


def get(server: Server) -> int:
    connection = http.client.HTTPConnection(*address(server), timeout=30)
    try:
        connection.request("GET", "/livez")
        return connection.getresponse().status
    finally:
        connection.close()


def connect(server: Server, sent: bytes = b"") -> socket.socket:
    client = socket.create_connection(address(server), timeout=30)
    client.sendall(sent)
    return client


def is_closed(client: socket.socket) -> bool:
    client.setblocking(False)
    try:
        return client.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


@pytest.mark.parametrize("sent", [b"", b"G", b"GET /livez HTTP/1.1\r\n", b"GET /livez HTTP/1.1\r\nX: "])
def test_clients_that_hold_every_place_keep_nobody_out(server: Server, sent: bytes) -> None:
    with ExitStack() as stack:
        for _ in range(2 * MOST_AT_ONCE):
            stack.enter_context(connect(server, sent))

        assert [get(server) for _ in range(5)] == [200] * 5


def test_the_oldest_goes_first(server: Server) -> None:
    with ExitStack() as stack:
        clients = [stack.enter_context(connect(server)) for _ in range(MOST_AT_ONCE)]
        eventually(lambda: len(server._opened) == MOST_AT_ONCE, what="all are accepted")
        stack.enter_context(connect(server))
        eventually(lambda: is_closed(clients[0]), what="the end of the oldest")

        assert not is_closed(clients[-1])


def test_a_client_that_sends_a_byte_now_and_then_has_one_time_for_all(server: Server) -> None:
    begun = time.monotonic()
    with connect(server, b"GET /livez HTTP/1.1\r\nX: ") as client:

        def drip() -> bool:
            try:
                client.sendall(b"x")
            except OSError:
                return True
            return is_closed(client)

        eventually(drip, what="the end of its time")

    assert time.monotonic() - begun < 30.0, "the whole request has three"


def test_a_request_that_is_answered_takes_no_place(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else one that takes its time would go as the oldest, though nobody else is there."""
    monkeypatch.setattr(module, "REQUEST_S", 60.0)
    with connect(server, b"GET /livez HTTP/1.1\r\nX: ") as client:
        assert [get(server) for _ in range(2 * MOST_AT_ONCE)] == [200] * (2 * MOST_AT_ONCE)
        client.sendall(b"x\r\n\r\n")

        assert client.recv(4096).startswith(b"HTTP/1.0 200")


@pytest.mark.parametrize("failure", ["thread", "verify"])
def test_a_place_is_given_back_whatever_fails(server: Server, monkeypatch: pytest.MonkeyPatch, failure: str) -> None:
    def refuse(*_args: Any) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as broken:
        broken.setattr(Server, "process_request" if failure == "thread" else "finish_request", refuse)
        for _ in range(2 * MOST_AT_ONCE):
            with connect(server, b"GET /livez HTTP/1.1\r\n\r\n") as client:
                eventually(partial(is_closed, client), what="the end of the connection")

    eventually(lambda: not server._opened and not server._running, what="every place is free")
    assert get(server) == 200

"""A TCP connection that is only being opened when a process forks: its child would hold it once the server answers."""

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from workerd.forksafe import inherited, servers, sessions
from workerd.forksafe.connecting import goal_of
from workerd.forksafe.discard import discard_inherited
from workerd.forksafe.sockets import connected_sockets, format_address, peer_of

HOSTS = {"127.0.0.1": socket.AF_INET, "::1": socket.AF_INET6}


@pytest.fixture(params=HOSTS)
def connecting(request: pytest.FixtureRequest) -> Iterator[tuple[socket.socket, str]]:
    """A socket that waits for the answer of a server whose queue is full, and the server's address."""
    family = HOSTS[request.param]
    with ExitStack() as opened, socket.socket(family) as server:
        try:
            server.bind((request.param, 0))
        except OSError:
            pytest.skip(f"this machine has no {request.param}")
        server.listen(0)
        for _ in range(16):
            sock = opened.enter_context(socket.socket(family))
            sock.setblocking(False)
            sock.connect_ex(server.getsockname()[:2])
            if _waits(sock):
                break
            sock.close()  # the server's queue keeps its place
        yield sock, format_address(server.getsockname())


def _waits(sock: socket.socket) -> bool:
    """Return whether the connection is not made; over loopback one that the queue has room for is made at once."""
    try:
        sock.getpeername()
    except OSError:
        return True
    return False


def test_it_is_found_with_the_address_that_it_leads_to(connecting: tuple[socket.socket, str]) -> None:
    sock, address = connecting

    assert _waits(sock), "the server's queue is not full"
    assert peer_of(sock.fileno()) == address
    assert (sock.fileno(), address) in {(found.descriptor, found.peer) for found in connected_sockets()}


def test_a_fork_beside_one_to_a_database_server_is_refused(
    connecting: tuple[socket.socket, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sock, address = connecting
    monkeypatch.setattr(servers, "_names", {})
    monkeypatch.setattr(sessions, "database_peers", {address})

    [reason] = inherited.check_sockets()

    assert reason.startswith(f"Descriptor {sock.fileno()} is an open socket to the database server {address}")


def test_a_child_is_cut_off_from_one_to_a_database_server(
    connecting: tuple[socket.socket, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sock, address = connecting
    monkeypatch.setattr(sessions, "database_peers", {address})

    child = os.fork()
    if child == 0:
        code = 1
        try:
            discard_inherited()
            code = int(peer_of(sock.fileno()) == address)
        finally:
            os._exit(code)

    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert peer_of(sock.fileno()) == address, "the parent's own was ended"


def test_sockets_that_connect_to_nothing_have_no_goal() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, socket.socket() as fresh, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        assert [goal_of(sock) for sock in (ours, fresh)] == [None, None]
        assert peer_of(datagrams.fileno()) == ""

"""The control socket: whatever comes in, an answer or a closed connection comes out, and the loop goes on."""

import json
import socket
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.harness.fakes import FakeClock, loop_of, turn
from workerd.daemon.io.control import MAX_CLIENTS, ControlSocket
from workerd.daemon.io.control_connection import (
    BACKLOG_BYTES,
    PATIENCE_S,
    REQUEST_BYTES,
    STREAM_BYTES,
    ControlConnection,
)
from workerd.wire.asking import connect


class Setup:
    """A listening control socket that answers pings, keeps ``later`` for the test, and streams for ``tail``."""

    def __init__(self, state_dir: Path) -> None:
        self.clock = FakeClock()
        self.loop = loop_of(self.clock)
        self.state_dir = state_dir
        self.asked: list[dict[str, Any]] = []
        self.later: list[ControlConnection] = []
        self.peers: list[socket.socket] = []
        self.control = ControlSocket(self.loop, state_dir, "shop", self._take)
        self.control.open()

    def _take(self, connection: ControlConnection, request: dict[str, Any]) -> None:
        self.asked.append(request)
        if request["verb"] == "ping":
            connection.reply({"ok": True, **{key: value for key, value in request.items() if key != "verb"}})
        else:
            self.later.append(connection)

    def connect(self) -> socket.socket:
        peer = connect(self.state_dir, "shop", 0)
        self.peers.append(peer)
        turn(self.loop)
        return peer

    def connect_and_wait(self) -> socket.socket:
        """Return a client whose request is under way."""
        peer = self.connect()
        with suppress(BrokenPipeError):  # it was refused
            peer.sendall(b'{"verb": "restart"}\n')
        turn(self.loop)
        return peer

    def ask(self, peer: socket.socket, *pieces: bytes) -> list[dict[str, Any]]:
        for piece in pieces:
            with suppress(BrokenPipeError):
                peer.sendall(piece)
            turn(self.loop)
        return self.answers(peer)

    def answers(self, peer: socket.socket) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.read(peer).splitlines()]

    def read(self, peer: socket.socket) -> bytes:
        got, empty = b"", 0
        while empty < 2:
            turn(self.loop)
            try:
                chunk = peer.recv(1024 * 1024)
            except BlockingIOError:
                chunk = b""
            empty = 0 if chunk else empty + 1
            got += chunk
        return got

    def close(self) -> None:
        for peer in self.peers:
            peer.close()
        self.control.close()


@pytest.fixture
def setup(tmp_path: Path) -> Iterator[Setup]:
    setup = Setup(tmp_path)
    yield setup
    setup.close()


def is_hung_up(peer: socket.socket) -> bool:
    try:
        return peer.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True


PING = b'{"verb": "ping"}\n'
NO_OBJECT = [{"ok": False, "error": "a request is one JSON object on one line"}]
NO_VERB = [{"ok": False, "error": 'a request is a JSON object with a "verb"'}]


def test_a_request_is_answered_by_a_line(setup: Setup) -> None:
    assert setup.ask(setup.connect(), PING) == [{"ok": True}]


def test_a_request_may_come_in_pieces(setup: Setup) -> None:
    assert setup.ask(setup.connect(), b'{"ver', b'b": "pi', b'ng"}', b"\n") == [{"ok": True}]


def test_half_a_line_is_not_answered(setup: Setup) -> None:
    assert setup.ask(setup.connect(), PING.strip()) == []


def test_requests_are_answered_in_order(setup: Setup) -> None:
    pings = b"".join(b'{"verb": "ping", "n": %d}\n' % number for number in range(100))

    assert [answer["n"] for answer in setup.ask(setup.connect(), pings)] == list(range(100))


def test_a_long_answer_is_made_in_shares_and_what_is_asked_next_comes_after_it(setup: Setup) -> None:
    made: list[int] = []

    def parts() -> Iterator[bytes]:
        yield b'{"n": ['
        for number in range(30):
            setup.clock.advance(0.004)
            made.append(number)
            yield b"%d, " % number
        yield b"30]}"

    peer, shares = setup.connect_and_wait(), []
    setup.later.pop().reply_in_parts(parts())
    peer.sendall(PING)
    while len(made) < 30:
        shares.append(len(made))
        turn(setup.loop)

    assert max(later - before for before, later in pairwise([0, *shares, 30])) == 3
    assert setup.answers(peer) == [{"n": list(range(31))}, {"ok": True}]


def test_who_hangs_up_meanwhile_has_no_further_part_made(setup: Setup) -> None:
    made: list[int] = []

    def parts() -> Iterator[bytes]:
        for number in range(30):
            setup.clock.advance(0.02)
            made.append(number)
            yield b"x"

    setup.connect_and_wait()
    connection = setup.later.pop()
    connection.reply_in_parts(parts())
    connection.close()
    turn(setup.loop)

    assert made == [0]
    assert not setup.loop._next


@pytest.mark.parametrize("line", [b"", b"nonsense", b"{", b"\xff\xfe", b"[" * 60_000, b'{"verb": "ping"', b"9" * 5000])
def test_what_is_no_json_is_refused_and_the_next_request_answered(setup: Setup, line: bytes) -> None:
    peer = setup.connect()

    assert setup.ask(peer, line + b"\n") == NO_OBJECT
    assert setup.ask(peer, PING) == [{"ok": True}]


@pytest.mark.parametrize("line", [b"1", b"null", b'"ping"', b"[]", b"{}", b'{"verb": 1}', b'{"verb": null}', b"NaN"])
def test_json_of_another_shape_is_refused(setup: Setup, line: bytes) -> None:
    assert setup.ask(setup.connect(), line + b"\n") == NO_VERB


def test_an_endless_line_is_refused_and_hung_up_on(setup: Setup) -> None:
    peer = setup.connect()
    for _ in range(3):
        with suppress(BrokenPipeError):
            peer.send(b"x" * REQUEST_BYTES)
        turn(setup.loop)
    (answer,) = json.loads(f"[{setup.read(peer).decode()}]")

    assert answer == {"ok": False, "error": f"a request is one line of at most {REQUEST_BYTES} bytes"}
    assert is_hung_up(peer)


def test_a_client_that_hangs_up_is_forgotten(setup: Setup) -> None:
    peer = setup.connect()
    peer.close()
    turn(setup.loop)

    assert not setup.control._clients


def test_one_that_hangs_up_before_its_answer_costs_nothing(setup: Setup) -> None:
    peer = setup.connect()
    setup.ask(peer, b'{"verb": "restart"}\n')
    peer.close()
    turn(setup.loop)
    setup.later[0].reply({"ok": True})

    assert not setup.control._clients


def test_three_hundred_clients_are_served_up_to_the_limit_and_the_rest_told_so(setup: Setup) -> None:
    peers = [setup.connect_and_wait() for _ in range(300)]
    refused = setup.answers(peers[-1])
    for connection in setup.later:
        connection.reply({"ok": True})

    assert [setup.answers(peer) for peer in peers[:MAX_CLIENTS]] == [[{"ok": True}]] * MAX_CLIENTS
    assert refused[0]["error"].startswith(f"the daemon serves {MAX_CLIENTS} clients already")
    for peer in peers[MAX_CLIENTS:-1]:
        assert b"clients already" in setup.read(peer)
    assert [is_hung_up(peer) for peer in peers] == [False] * MAX_CLIENTS + [True] * (300 - MAX_CLIENTS)


def test_clients_that_say_nothing_shut_nobody_out(setup: Setup) -> None:
    silent = []
    for _ in range(MAX_CLIENTS):
        silent.append(setup.connect())
        setup.clock.advance(0.01)
    half = setup.connect()
    setup.ask(half, PING.strip())

    assert setup.ask(setup.connect(), PING) == [{"ok": True}]
    assert len(setup.control._clients) == MAX_CLIENTS
    assert [is_hung_up(peer) for peer in silent[:3]] == [True, True, False]


def test_one_that_waits_for_an_answer_or_reads_a_long_one_keeps_its_place(setup: Setup) -> None:
    waiting, reading = setup.connect_and_wait(), setup.connect_and_wait()
    setup.later[1].reply({"ok": True, "fill": "x" * 2_000_000})
    for _ in range(MAX_CLIENTS + 10):
        setup.clock.advance(0.01)
        setup.connect()
    setup.later[0].reply({"ok": True})

    assert setup.answers(waiting) == [{"ok": True}]
    assert len(setup.answers(reading)[0]["fill"]) == 2_000_000


def test_the_client_that_is_idle_longest_gives_its_place(setup: Setup) -> None:
    first, second = setup.connect(), setup.connect()
    setup.clock.advance(1.0)
    setup.ask(first, PING)
    for _ in range(MAX_CLIENTS - 2 + 1):
        setup.connect()

    assert (is_hung_up(first), is_hung_up(second)) == (False, True)


def test_one_who_asks_and_does_not_read_is_not_read_from(setup: Setup) -> None:
    """Its answers would pile up in the daemon without an end."""
    peer, (connection,) = setup.connect(), tuple(setup.control._clients)
    with suppress(BlockingIOError):
        while len(setup.asked) < 50_000:
            peer.send(PING * 1000)
            turn(setup.loop)

    assert len(connection._answers) <= BACKLOG_BYTES + 100
    assert len(connection._request) <= 2 * REQUEST_BYTES


def test_who_reads_on_gets_every_answer(setup: Setup) -> None:
    peer, sent, got = setup.connect(), 0, b""
    while sent < 20_000:
        with suppress(BlockingIOError):
            sent += peer.send(PING * 1000) / len(PING)  # type: ignore[assignment]
        turn(setup.loop)
        with suppress(BlockingIOError):
            got += peer.recv(8 * 1024)
    got += setup.read(peer)

    assert got.count(b"\n") == int(sent)


def test_an_idle_client_is_hung_up_on(setup: Setup) -> None:
    peer = setup.connect()
    setup.clock.advance(PATIENCE_S + 1)
    turn(setup.loop)

    assert is_hung_up(peer)


def test_one_whose_request_is_under_way_is_not(setup: Setup) -> None:
    peer = setup.connect()
    setup.ask(peer, b'{"verb": "restart"}\n')
    for _ in range(4):
        setup.clock.advance(PATIENCE_S + 1)
        turn(setup.loop)
    setup.later[0].reply({"ok": True})

    assert setup.answers(peer) == [{"ok": True}]


def test_a_slow_reader_of_a_stream_loses_lines_and_is_told_how_many(setup: Setup) -> None:
    peer = setup.connect()
    setup.ask(peer, b'{"verb": "tail"}\n')
    line = b'{"event": "x", "fill": "%s"}' % (b"y" * 1000)
    for _ in range(5_000):
        setup.later[0].stream(line)
    kept = len(setup.later[0]._answers)
    got = setup.answers(peer)
    setup.later[0].stream(line)
    got += setup.answers(peer)
    dropped = [answer["lines"] for answer in got if answer["event"] == "log.dropped"]

    assert kept <= STREAM_BYTES + 2_000
    assert len(dropped) == 1
    assert len(got) - 1 + dropped[0] == 5_001
    assert got[-1]["event"] == "x"


def test_what_it_is_told_of_a_hang_up_happens_once(setup: Setup) -> None:
    calls: list[int] = []
    peer = setup.connect()
    setup.ask(peer, b'{"verb": "tail"}\n')
    setup.later[0].when_closed(lambda: calls.append(1))
    peer.close()
    turn(setup.loop)
    setup.later[0].close()

    assert calls == [1]


def test_the_socket_is_private(setup: Setup) -> None:
    assert stat.S_IMODE((setup.state_dir / "shop.sock").stat().st_mode) == 0o600


def test_a_deep_state_dir_works(tmp_path: Path) -> None:
    """AF_UNIX paths end at 107 bytes."""
    deep = tmp_path.joinpath(*["a-rather-long-folder-name"] * 8)
    deep.mkdir(parents=True)
    setup = Setup(deep)

    assert setup.ask(setup.connect(), PING) == [{"ok": True}]
    setup.close()


def test_the_socket_of_a_dead_daemon_is_replaced_and_ours_taken_away(tmp_path: Path) -> None:
    (tmp_path / "shop.sock").write_bytes(b"left behind")
    setup = Setup(tmp_path)
    answered: Callable[[], list[dict[str, Any]]] = lambda: setup.ask(setup.connect(), PING)  # noqa: E731
    seen = answered()
    setup.close()

    assert (seen, (tmp_path / "shop.sock").exists()) == ([{"ok": True}], False)


def test_a_socket_that_was_taken_away_is_made_anew_and_who_is_connected_stays_so(setup: Setup) -> None:
    peer = setup.connect()
    (setup.state_dir / "shop.sock").unlink()
    gone = not setup.control.is_in_place()
    setup.control.reopen()

    assert gone
    assert setup.control.is_in_place()
    assert setup.ask(setup.connect(), PING) == [{"ok": True}]
    assert setup.ask(peer, PING) == [{"ok": True}]


def test_what_cannot_be_made_anew_leaves_the_old_one_listening(setup: Setup) -> None:
    (setup.state_dir / "shop.sock").rename(setup.state_dir / "moved.sock")
    (setup.state_dir / "shop.sock").mkdir()

    with pytest.raises(IsADirectoryError):
        setup.control.reopen()

    (setup.state_dir / "shop.sock").rmdir()
    (setup.state_dir / "moved.sock").rename(setup.state_dir / "shop.sock")
    assert setup.ask(setup.connect(), PING) == [{"ok": True}]

"""How the exporter reads the log over the control socket: each line once, and what was missed."""

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from workerd.daemon.io.feed import ANSWER_LINES, FEED_BYTES, Feed
from workerd.exporter.reader import MOST_ANSWERS, Reader


class Daemon:
    """A daemon's end of the control socket, which answers from its feed; it may hang up in the midst of an answer."""

    def __init__(self, path: Path) -> None:
        self.feed = Feed()
        self.requests: list[dict[str, Any]] = []
        self.bytes_left = 1 << 40
        """How much it still says before it hangs up."""
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(path / "shop.sock"))
        self._socket.listen()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def add(self, *lines: bytes, own: bool = False) -> None:
        for line in lines:
            self.feed.append(line, own=own)

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection, connection.makefile("rb") as file:
                for line in file:
                    answer = self._answer(json.loads(line))[: self.bytes_left]
                    self.bytes_left -= len(answer)
                    connection.sendall(answer)
                    if self.bytes_left <= 0:
                        break

    def _answer(self, request: dict[str, Any]) -> bytes:
        self.requests.append(request)
        self.feed.forget(request["sent"])
        first, lines = self.feed.after(request["after"])
        return b"\n".join([json.dumps({"ok": True, "first": first, "lines": len(lines)}).encode(), *lines, b""])


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    daemon = Daemon(tmp_path)
    yield daemon
    daemon.close()


@pytest.fixture
def reader(daemon: Daemon, tmp_path: Path) -> Iterator[Reader]:
    reader = Reader(tmp_path, "shop")
    yield reader
    reader.close()


def test_each_line_is_read_once_with_who_wrote_it(daemon: Daemon, reader: Reader) -> None:
    daemon.add(b"a", b"b")
    daemon.add(b"c", own=True)
    assert [*reader.read(0)] == [(1, False, b"a"), (2, False, b"b"), (3, True, b"c")]
    assert [*reader.read(0)] == []
    daemon.add(b"d")

    assert [*reader.read(2)] == [(4, False, b"d")]
    assert daemon.requests[-1] == {"verb": "feed", "after": 4, "sent": 2}
    assert reader.take_missed() == 0


def test_many_lines_come_in_several_answers_and_very_many_in_several_turns(daemon: Daemon, reader: Reader) -> None:
    lines = [b"%d" % number for number in range((MOST_ANSWERS + 1) * ANSWER_LINES)]
    daemon.add(*lines)
    first = [line for _, _, line in reader.read(0)]

    assert (first, reader.has_more) == (lines[: MOST_ANSWERS * ANSWER_LINES], True)
    assert ([line for _, _, line in reader.read(0)], reader.has_more) == (lines[len(first) :], False)


@pytest.mark.parametrize("heard", [5, 40, 80])
def test_a_line_of_an_answer_that_broke_off_is_read_once(daemon: Daemon, reader: Reader, heard: int) -> None:
    lines = [b"%d" % number for number in range(20)]
    daemon.add(*lines)
    daemon.bytes_left = heard
    seen = [line for _, _, line in reader.read(0)]
    assert seen == []
    daemon.bytes_left = 1 << 40

    assert [line for _, _, line in reader.read(0)] == lines


def test_one_that_starts_again_goes_on_where_all_was_sent(daemon: Daemon, reader: Reader, tmp_path: Path) -> None:
    daemon.add(b"a", b"b", b"c")
    assert len([*reader.read(0)]) == 3
    assert [*reader.read(2)] == []
    reader.close()

    second = Reader(tmp_path, "shop")

    assert [*second.read(0)] == [(3, False, b"c")]
    assert second.take_missed() == 0
    second.close()


def test_what_the_daemon_has_dropped_is_counted(daemon: Daemon, reader: Reader) -> None:
    daemon.add(b"a")
    assert len([*reader.read(0)]) == 1
    count = 2 * FEED_BYTES // 1000
    daemon.add(*[b"x" * 1000] * count)

    read = 0
    while lines := [*reader.read(0)]:
        read += len(lines)

    assert 0 < read < count
    assert (reader.take_missed(), reader.take_missed()) == (count - read, 0)


def test_a_daemon_that_is_not_there_gives_nothing(tmp_path: Path) -> None:
    reader = Reader(tmp_path, "shop")

    assert [*reader.read(0)] == []

"""Our output: whole lines, never waited for; stuck, it drops the oldest and says exactly how many."""

import errno
import fcntl
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.harness.fakes import FakeClock, loop_of, turn
from workerd.daemon.io.stdout import RETRY_S, RING_BYTES, Stdout

KIB = 1024


class Stream:
    """A sink on one end of something, and what comes out at the other."""

    def __init__(self, writing: int, reading: int) -> None:
        self.clock = FakeClock()
        self.loop = loop_of(self.clock)
        self.writing, self.reading = writing, reading
        os.set_blocking(reading, False)
        self.dropped: list[int] = []
        self.errors: list[str] = []
        self.stdout = Stdout(self.loop, writing, self.note_loss)

    def note_loss(self, lines: int, error: str) -> None:
        self.dropped.append(lines)
        self.errors.append(error)

    def wait(self) -> None:
        """Let the time pass after which an error is tried again."""
        self.clock.advance(RETRY_S)
        turn(self.loop)

    def put(self, *lines: bytes) -> None:
        for line in lines:
            self.stdout.write_line(line + b"\n")
        turn(self.loop)

    def stop_reading(self) -> None:
        os.close(self.reading)
        self.reading = -1

    def close(self) -> None:
        self.stdout.close()
        os.close(self.writing)
        if self.reading >= 0:
            os.close(self.reading)

    def read(self) -> bytes:
        """Read whatever comes, as long as anything comes."""
        got = b""
        while True:
            with suppress(BlockingIOError):
                while chunk := os.read(self.reading, 1024 * KIB):
                    got += chunk
            before = len(got)
            turn(self.loop)
            with suppress(BlockingIOError):
                got += os.read(self.reading, 1024 * KIB)
            if len(got) == before:
                return got


Make = Callable[[str], Stream]


@pytest.fixture
def make() -> Iterator[Make]:
    streams: list[Stream] = []

    def open_(kind: str) -> Stream:
        if kind == "socket":
            ours, theirs = socket.socketpair()
            reading, writing = theirs.detach(), ours.detach()
        else:
            reading, writing = os.pipe()
        streams.append(Stream(writing, reading))
        return streams[-1]

    yield open_
    for stream in streams:
        stream.close()


KINDS = ["pipe", "socket"]


def numbered(count: int, size: int = 100) -> list[bytes]:
    return [b"%07d " % number + b"x" * (size - 9) for number in range(count)]


@pytest.mark.parametrize("kind", KINDS)
def test_lines_come_out_as_they_went_in(make: Make, kind: str) -> None:
    stream = make(kind)
    stream.put(b"one", b"two")

    assert stream.read() == b"one\ntwo\n"


@pytest.mark.parametrize("kind", KINDS)
def test_a_line_is_out_before_what_the_same_turn_goes_on_to_say(make: Make, kind: str) -> None:
    """As an answer of the control socket does, which a turn sends after its calls."""
    stream, seen = make(kind), list[bytes]()

    def say_and_answer() -> None:
        stream.stdout.write_line(b"one\n")
        stream.loop.call_soon(lambda: seen.append(os.read(stream.reading, KIB)))

    stream.loop.call_soon(say_and_answer)
    turn(stream.loop)

    assert seen == [b"one\n"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_slow_reader_gets_everything_in_order(make: Make, kind: str) -> None:
    stream = make(kind)
    lines = numbered(10_000)
    stream.put(*lines)

    assert stream.read().split(b"\n")[:-1] == lines
    assert stream.dropped == []


def test_a_pipe_without_a_reader_keeps_the_newest_lines_for_the_next_one(tmp_path: Path) -> None:
    """A named pipe, as between a daemon and a log shipper that is restarted."""
    stream = fifo(tmp_path)
    stream.put(b"one")
    first = stream.read()
    os.close(stream.reading)
    stream.put(b"two")
    stream.reading = os.open(tmp_path / "fifo", os.O_RDONLY | os.O_NONBLOCK)
    stream.wait()
    second = stream.read()
    stream.close()

    assert (first, second, stream.dropped) == (b"one\n", b"two\n", [])


def fifo(folder: Path) -> Stream:
    os.mkfifo(folder / "fifo")
    reading = os.open(folder / "fifo", os.O_RDONLY | os.O_NONBLOCK)
    return Stream(os.open(folder / "fifo", os.O_WRONLY), reading)


ERRORS = [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EPIPE, errno.ENOBUFS]


@pytest.mark.parametrize("number", ERRORS, ids=errno.errorcode.get)
def test_after_any_error_the_log_goes_on_and_counts_what_it_lost(
    make: Make, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    stream = make("socket")
    with monkeypatch.context() as broken:
        broken.setattr("workerd.daemon.io.stdout_kinds.socket.socket.send", raising(number))
        for line in numbered(9000, size=1000):
            stream.put(line)
        trouble = stream.stdout.trouble
    stream.wait()
    got = stream.read().split(b"\n")[:-1]

    assert trouble == os.strerror(number)
    assert [len(line) for line in got] == [999] * len(got)
    assert (sum(stream.dropped), stream.errors) == (9000 - len(got), [trouble])
    assert stream.dropped[0] > 0
    assert stream.stdout.trouble == ""


def raising(number: int) -> Callable[..., int]:
    def send(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    return send


@pytest.mark.parametrize("kind", KINDS)
def test_a_stuck_reader_loses_the_oldest_lines_whole_and_counted(make: Make, kind: str) -> None:
    stream = make(kind)
    lines = numbered(12_000, size=1000)
    stream.put(*lines[:1000])
    stream.put(*lines[1000:])
    while_stuck = list(stream.dropped)
    got = stream.read().split(b"\n")[:-1]

    assert while_stuck == []
    assert [len(line) for line in got] == [999] * len(got)
    assert sum(stream.dropped) == len(lines) - len(got) > 0
    assert got == sorted(set(got))
    assert got[-1] == lines[-1]


def test_the_ring_holds_eight_mebibytes(make: Make) -> None:
    stream = make("pipe")
    for line in numbered(20_000, size=1000):
        stream.stdout.write_line(line)

    assert RING_BYTES - 1000 <= stream.stdout._bytes <= RING_BYTES == 8 * KIB * KIB


def test_it_says_again_how_many_were_lost_when_it_was_stuck_again(make: Make) -> None:
    stream = make("pipe")
    totals = []
    for _ in range(2):
        stream.put(*numbered(10_000, size=1000))
        totals.append(10_000 - stream.read().count(b"\n"))

    assert stream.dropped == totals


def test_a_line_longer_than_a_batch_goes_out_whole(make: Make) -> None:
    stream = make("pipe")
    stream.put(b"x" * 300 * KIB, b"next")

    assert stream.read() == b"x" * 300 * KIB + b"\nnext\n"


@pytest.mark.parametrize("kind", KINDS)
def test_a_reader_that_is_gone_ends_nothing(make: Make, kind: str) -> None:
    stream = make(kind)
    stream.stop_reading()
    for line in numbered(9000, size=1000):
        stream.put(line)

    assert stream.stdout._bytes <= RING_BYTES


def test_the_open_file_that_others_share_stays_blocking(make: Make) -> None:
    """O_NONBLOCK belongs to it, and a shell or supervisor that writes there too would get errors."""
    stream = make("pipe")
    stream.put(b"one")

    assert not fcntl.fcntl(stream.writing, fcntl.F_GETFL) & os.O_NONBLOCK


def test_a_regular_file_is_written_and_appended_to(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"before\n")
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
    loop = loop_of()
    output = Stdout(loop, descriptor, lambda *_: None)
    output.write_line(b"one\n")
    turn(loop)
    output.close()
    os.close(descriptor)

    assert path.read_bytes() == b"before\none\n"


def test_a_pipe_that_cannot_be_opened_anew_is_written_as_far_as_it_is_writable(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another user's pipe, as after a change of user: four KiB at a time, and only when it polls writable."""

    def refuse(*_: object) -> int:
        raise PermissionError

    monkeypatch.setattr(os, "open", refuse)
    stream = make("pipe")
    monkeypatch.undo()
    lines = numbered(5_000)
    stream.put(*lines)

    assert stream.read().split(b"\n")[:-1] == lines


def test_a_terminal_gets_its_lines() -> None:
    primary, terminal = os.openpty()
    loop = loop_of()
    output = Stdout(loop, terminal, lambda *_: None)
    output.write_line(b"hello\n")
    turn(loop)
    os.set_blocking(primary, False)
    got = os.read(primary, 99)
    output.close()
    os.close(primary)
    os.close(terminal)

    assert got in {b"hello\n", b"hello\r\n"}

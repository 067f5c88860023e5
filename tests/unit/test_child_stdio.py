"""A process's streams and its pipe of rendered lines: whatever happens there is no error of the job."""

import errno
import io
import os
import select
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from workerd.child.output_pipe import OutputPipe
from workerd.child.stdio import Stdio

PACKET = b"x" * 4000 + b"\n"


@pytest.fixture
def ends() -> Iterator[tuple[int, int]]:
    """The reading and the writing end of a pipe."""
    reading, writing = os.pipe()
    yield reading, writing
    for descriptor in (reading, writing):
        with suppress(OSError):
            os.close(descriptor)


@pytest.fixture
def pipe(ends: tuple[int, int]) -> Iterator[OutputPipe]:
    pipe = OutputPipe()
    pipe.take(ends[1])
    yield pipe
    with suppress(OSError):
        os.close(pipe.descriptor)


def test_a_pipe_that_nobody_reads_is_no_error(pipe: OutputPipe, ends: tuple[int, int]) -> None:
    """The daemon is gone; the job is to end by its own doing, or by the signal of that."""
    os.close(ends[0])

    pipe.write(PACKET)


def test_a_descriptor_that_is_closed_right_after_the_look_is_no_error(
    pipe: OutputPipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another thread of the job closes all that it finds."""
    written: list[int] = []

    def refuse(descriptor: int, _packet: bytes) -> int:
        written.append(descriptor)
        raise OSError(errno.EBADF, "fake")

    monkeypatch.setattr(os, "write", refuse)
    pipe.write(PACKET)

    assert written == [pipe.descriptor]


def test_a_full_pipe_that_does_not_block_is_waited_for(
    pipe: OutputPipe, ends: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the job, or a library of it, has made its stdout non-blocking."""
    reading, writing = ends
    os.set_blocking(writing, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writing, b"\0" * 4096)
    write, is_full = os.write, threading.Event()

    def write_and_tell(descriptor: int, packet: bytes) -> int:
        try:
            return write(descriptor, packet)
        except BlockingIOError:
            is_full.set()
            raise

    monkeypatch.setattr(os, "write", write_and_tell)
    writer = threading.Thread(target=pipe.write, args=[PACKET])
    writer.start()
    assert is_full.wait(30)
    got = b""
    while PACKET not in got:
        assert select.select([reading], [], [], 30)[0]
        got += os.read(reading, 65536)
    writer.join()

    assert got.strip(b"\0") == PACKET


def test_a_fork_beside_a_thread_that_writes_may_write(pipe: OutputPipe) -> None:
    """The thread is not in the fork, and would never release the lock there."""
    stdio = Stdio("mark", lambda: None, pipe)
    writes, over = threading.Event(), threading.Event()

    def hold() -> None:
        with stdio.lock:
            writes.set()
            over.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    writes.wait()
    child = os.fork()
    if child == 0:
        os._exit(0 if stdio.lock.acquire(timeout=30) else 1)
    over.set()
    thread.join()

    assert os.waitpid(child, 0) == (child, 0)


def test_a_signal_handler_that_logs_in_the_middle_of_a_write_may_do_so(pipe: OutputPipe) -> None:
    stdio, done = Stdio("mark", lambda: None, pipe), threading.Event()

    def write_in_a_write() -> None:
        with stdio.lock:
            stdio.write_line(b"{}")
        done.set()

    threading.Thread(target=write_in_a_write, daemon=True).start()

    assert done.wait(30)


@pytest.mark.parametrize("unbuffered", [True, False])
def test_half_a_line_is_written_at_once_where_python_is_unbuffered(ends: tuple[int, int], unbuffered: bool) -> None:
    """By PYTHONUNBUFFERED, as in a container."""
    reading, writing = ends
    former = io.TextIOWrapper(io.BytesIO(), write_through=unbuffered)
    stream = Stdio("mark", lambda: None)._stream(writing, former)
    stream.write("half")
    is_written = bool(select.select([reading], [], [], 0)[0])
    stream.flush()

    assert is_written is unbuffered
    assert os.read(reading, 100) == b"half"


def test_before_it_has_a_pipe_nothing_is_written(capfd: pytest.CaptureFixture[str]) -> None:
    OutputPipe().write(PACKET)

    assert capfd.readouterr() == ("", "")

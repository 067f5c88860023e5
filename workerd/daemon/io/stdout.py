"""The daemon's standard output. It is never waited for: while it is stuck, a ring of 8 MiB drops the oldest lines."""

import errno
import fcntl
import os
import select
import socket
import stat
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from .loop import WRITE, Loop

RING_BYTES = 8 * 1024 * 1024
BATCH_BYTES = 64 * 1024
PIPE_BYTES = 1024 * 1024
"""The most that a pipe may hold (pipe-max-size). With the usual 64 KiB, a busy machine's reader comes too late."""
PIPE_BUF = 4096
"""A pipe that is writable takes this much without blocking (pipe(7))."""


class Stdout:
    """Writes lines whole or not at all. Once the output flows again, ``on_dropped`` gets the count of lost lines."""

    def __init__(self, loop: Loop, descriptor: int, on_dropped: Callable[[int], None]) -> None:
        self._loop = loop
        self._on_dropped = on_dropped
        self._lines: deque[bytes] = deque()
        self._bytes = 0
        self._torn = b""
        self._dropped = 0
        self._stuck = self._refused = False
        self._write, self._descriptor, self._batch = _open(descriptor)
        loop.at_turn_end(self.flush)

    def write_line(self, line: bytes) -> None:
        """Queue one line with its newline."""
        self._lines.append(line)
        self._bytes += len(line)
        while self._bytes > RING_BYTES:
            self._bytes -= len(self._lines.popleft())
            self._dropped += 1

    def flush(self) -> None:
        """Write what can be written now."""
        while not self._stuck and (self._torn or self._lines):
            chunk = self._torn or self._take()
            try:
                written = self._write(chunk)
            except BlockingIOError:
                written = 0
            except OSError as error:  # no reader is left, or the disk is full: supervision goes on without a log
                written = len(chunk)
                self._refused = error.errno == errno.ENOSPC
                self._dropped += chunk.count(b"\n") if self._refused else 0
            else:
                self._refused = False
            self._torn = chunk[written:]
            if self._torn:
                self._wait()
        if self._dropped and not self._stuck and not self._refused:
            count, self._dropped = self._dropped, 0
            self._on_dropped(count)

    def close(self) -> None:
        """Write what can be written, and close the descriptor."""
        self.flush()
        self._loop.unwatch(self._descriptor)
        os.close(self._descriptor)

    def _take(self) -> bytes:
        taken: list[bytes] = []
        size = 0
        while self._lines and (not taken or size + len(self._lines[0]) <= self._batch):
            taken.append(self._lines.popleft())
            size += len(taken[-1])
        self._bytes -= size
        return b"".join(taken)

    def _wait(self) -> None:
        self._stuck = True
        self._loop.watch(self._descriptor, WRITE, lambda _: self._flow())

    def _flow(self) -> None:
        self._stuck = False
        self._loop.unwatch(self._descriptor)
        self.flush()


def _open(descriptor: int) -> tuple[Callable[[bytes], int], int, int]:
    """Return a function that writes without blocking, a descriptor to poll, and how much to write at once.

    O_NONBLOCK belongs to the open file, which other processes may share (a terminal, a supervisor's pipe). So a pipe
    or a terminal is opened a second time, and a socket is told with each call. A regular file does not block.
    """
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISFIFO(mode) or stat.S_ISCHR(mode):
        try:
            own = os.open(f"/proc/self/fd/{descriptor}", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        except OSError:  # another user's pipe, which cannot be opened again: write what a writable pipe takes for sure
            own = os.dup(descriptor)
            return lambda chunk: _write_if_writable(own, chunk), own, PIPE_BUF
        if stat.S_ISFIFO(mode):
            with suppress(OSError):  # not allowed: the pipe stays as small as it is
                fcntl.fcntl(own, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        return lambda chunk: os.write(own, chunk), own, BATCH_BYTES
    own = os.dup(descriptor)
    if not stat.S_ISSOCK(mode):
        return lambda chunk: os.write(own, chunk), own, BATCH_BYTES
    return lambda chunk: _send(own, chunk), own, BATCH_BYTES


def _send(descriptor: int, chunk: bytes) -> int:
    out = socket.socket(fileno=descriptor)
    try:
        return out.send(chunk, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
    finally:
        out.detach()


def _write_if_writable(descriptor: int, chunk: bytes) -> int:
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    if not poll.poll(0):
        raise BlockingIOError
    return os.write(descriptor, chunk[:PIPE_BUF])

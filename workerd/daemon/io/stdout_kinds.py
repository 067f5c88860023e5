"""Writes to each kind of standard output without blocking: pipe, terminal, socket, file."""

import fcntl
import os
import select
import socket
import stat
from collections.abc import Callable
from contextlib import suppress
from functools import partial

BATCH_BYTES = 64 * 1024
PIPE_BYTES = 1024 * 1024
"""The most that a pipe may hold (pipe-max-size). With the usual 64 KiB, a busy machine's reader comes too late."""
PIPE_BUF = 4096
"""A pipe that is writable takes this much without blocking (pipe(7))."""

Write = Callable[[bytes], int]


def open_stdout(descriptor: int) -> tuple[Write, int, int]:
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
            return partial(_write_if_writable, own), own, PIPE_BUF
        if stat.S_ISFIFO(mode):
            with suppress(OSError):  # not allowed: the pipe stays as small as it is
                fcntl.fcntl(own, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        return partial(os.write, own), own, BATCH_BYTES
    own = os.dup(descriptor)
    if stat.S_ISSOCK(mode):
        return partial(_send, own), own, BATCH_BYTES
    # Of a file that somebody empties, to make room or to rotate it, the place to write at is its new end.
    fcntl.fcntl(own, fcntl.F_SETFL, fcntl.fcntl(own, fcntl.F_GETFL) | os.O_APPEND)
    return partial(_append, own), own, BATCH_BYTES


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


def _append(descriptor: int, chunk: bytes) -> int:
    """Write whole lines: what comes next into the file may be another daemon's line."""
    written = os.write(descriptor, chunk)
    if written < len(chunk):
        written -= _take_back(descriptor, written - (chunk.rfind(b"\n", 0, written) + 1))
    return written


def _take_back(descriptor: int, count: int) -> int:
    """Cut the beginning of a line off the file; return 0 where that cannot be: then its end is to follow."""
    end = os.lseek(descriptor, 0, os.SEEK_CUR)
    if os.fstat(descriptor).st_size != end:
        return 0  # another process has written behind it
    try:
        os.ftruncate(descriptor, end - count)
    except OSError:
        return 0
    return count

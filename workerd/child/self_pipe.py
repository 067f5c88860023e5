"""A socket to oneself, by which signals, other threads and a stop wake whoever sleeps."""

import contextlib
import math
import select
import socket

from .descriptors import KnownFile, lift

LONGEST_POLL_S = 86_400.0
"""poll(2) takes its time-out as milliseconds in an int; a longer sleep is several polls."""


class SelfPipe:
    """Two connected sockets, which do not block: once woken, ``reader`` stays readable until it is read."""

    def __init__(self) -> None:
        reader, writer = socket.socketpair()
        self.reader, self.writer = _lifted(reader), _lifted(writer)
        self._files = KnownFile(self.reader.fileno()), KnownFile(self.writer.fileno())
        self.reader.setblocking(False)
        self.writer.setblocking(False)  # set_wakeup_fd demands it: a handler that blocks would block the process

    @property
    def is_lost(self) -> bool:
        """Whether the job has closed one of the two: its number may be another file's by now."""
        ends = zip(self._files, (self.reader, self.writer), strict=True)
        return not all(file.is_at(end.fileno()) for file, end in ends)

    def wake(self) -> None:
        """Make the reader readable."""
        if not self.is_lost:
            with contextlib.suppress(BlockingIOError):  # the socket is full, and therefore readable already
                self.writer.send(b"\0")

    def read(self) -> bytes | None:
        """Return what has been written, or None."""
        try:
            return self.reader.recv(4096)
        except BlockingIOError:
            return None

    def sleep(self, seconds: float) -> None:
        """Sleep until the reader is readable, at most ``seconds``."""
        seconds = min(seconds, LONGEST_POLL_S)
        if hasattr(select, "poll"):  # select(2) cannot watch a descriptor above 1023, and a job may have that many open
            poller = select.poll()
            poller.register(self.reader, select.POLLIN)
            poller.poll(math.ceil(seconds * 1000))
        else:
            select.select([self.reader], [], [], seconds)

    def close(self) -> None:
        """Close what is still ours of it."""
        for file, end in zip(self._files, (self.reader, self.writer), strict=True):
            if file.is_at(end.fileno()):
                end.close()
            else:
                end.detach()  # else the collected socket would close another file


def _lifted(end: socket.socket) -> socket.socket:
    return socket.socket(fileno=lift(end.detach()))

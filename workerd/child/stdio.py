"""A child's stdout and stderr: printed text and rendered log lines go through one pipe, and so stay in order."""

import io
import os
import select
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

LINE_BYTES = 64 * 1024
"""The longest rendered line, with its mark and newline; a longer one is cut before it is written."""


if TYPE_CHECKING:
    _Buffer = io.BufferedWriter[io.FileIO]
else:
    _Buffer = io.BufferedWriter


class LineWriter(Protocol):
    """Takes rendered lines."""

    def write_line(self, line: bytes) -> None:
        """Write ``line``, which has no newline of its own."""


class Stdio:
    """Writes to descriptors 1 and 2, and beats with each write.

    ``mark`` stands before each rendered line. The job does not know it, so text that it prints cannot pass for one.
    """

    def __init__(self, mark: str, beat: Callable[[], None]) -> None:
        self._mark = f"{mark} ".encode()
        self._beat = beat
        # Reentrant: a signal handler of the project may log while it interrupts a write of its own thread.
        self.lock = threading.RLock()
        self._at_line_start = True
        os.register_at_fork(after_in_child=self._renew_lock)

    def write_line(self, line: bytes) -> None:
        """Write a rendered line; after printed text without a newline, start a line first."""
        with self.lock:
            start = b"" if self._at_line_start else b"\n"
            # False until the line is written whole: Ctrl-C may raise in the middle, and the next line must start anew.
            self._at_line_start = False
            _write_all(1, b"%b%b%b\n" % (start, self._mark, line))
            self._at_line_start = True
        self._beat()

    def on_printed(self, text: bytes) -> None:
        """Beat, and remember whether ``text`` ended its line."""
        if text:
            self._at_line_start = text.endswith(b"\n")
        self._beat()

    def replace_streams(self) -> None:
        """Make sys.stdout and sys.stderr write here, line by line; a character that UTF-8 cannot encode is escaped."""
        _replaced_streams.extend((sys.stdout, sys.stderr))
        sys.stdout = self._stream(1)
        sys.stderr = self._stream(2)

    def _stream(self, descriptor: int) -> io.TextIOWrapper:
        buffer = _PrintBuffer(io.FileIO(descriptor, "w", closefd=False), self)
        return io.TextIOWrapper(buffer, encoding="utf-8", errors="backslashreplace", line_buffering=True)

    def _renew_lock(self) -> None:
        # Runs in a process that the job forks. Another thread may have held the lock at the fork; that thread does not
        # exist here, so the lock would never be released.
        self.lock = threading.RLock()


class _PrintBuffer(_Buffer):
    """The buffer below sys.stdout or sys.stderr."""

    # Why the buffer and not the raw file below it: a KeyboardInterrupt raised in a write() in Python there would leave
    # the buffer full after the bytes are out, and they would be written a second time.

    def __init__(self, raw: io.FileIO, stdio: Stdio) -> None:
        super().__init__(raw)
        self._stdio = stdio

    def write(self, text: Any, /) -> int:
        with self._stdio.lock:
            self._stdio.on_printed(bytes(text))
            return super().write(text)

    def flush(self) -> None:
        with self._stdio.lock:  # a rendered line must not come between the parts of a flush
            super().flush()


_replaced_streams: list[object] = []
"""Keeps the streams from before alive: their finalisers would close descriptors 1 and 2."""


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        try:
            data = data[os.write(descriptor, data) :]
        except BlockingIOError:
            # The job, or a library of it, made the descriptor non-blocking, and the pipe is full: wait for room.
            poller = select.poll()
            poller.register(descriptor, select.POLLOUT)
            poller.poll()
        except BrokenPipeError:  # the daemon is gone: nobody reads, and that is no error of the job
            return

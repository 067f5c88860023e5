"""A child's stdout and stderr: printed text goes through a pipe each; rendered lines stay in order with stdout's."""

import io
import itertools
import os
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from workerd.wire.marked_lines import pack

from .descriptors import KnownFile, takes_prints
from .handler_prints import PRINTS
from .output_pipe import OUTPUT, OutputPipe
from .secrets import SECRETS

if TYPE_CHECKING:
    _Buffer = io.BufferedWriter[io.FileIO]
else:
    _Buffer = io.BufferedWriter


class LineWriter(Protocol):
    """Takes rendered lines."""

    def write_line(self, line: bytes) -> None:
        """Write ``line``, which has no newline of its own."""


def connect_streams(stdout: int, stderr: int) -> None:
    """Put descriptors 1 and 2 on the pipes to the daemon, and rendered lines on the first; close the ends given."""
    OUTPUT.take(stdout)
    # dup2 clears close-on-exec: the programs that the job starts write into the pipes, too.
    os.dup2(stdout, 1)
    os.dup2(stderr, 2)
    os.close(stdout)
    os.close(stderr)


class Stdio:
    """Writes to descriptors 1 and 2 and, rendered lines, to the output pipe; beats with each write.

    ``mark`` stands before each rendered line. The job does not know it, so text that it prints cannot pass for one.
    """

    def __init__(self, mark: str, beat: Callable[[], None], pipe: OutputPipe = OUTPUT) -> None:
        self._mark = mark.encode()
        self.beat = beat
        self._pipe = pipe
        self._numbers = itertools.count()
        # Reentrant: a signal handler of the project may log while it interrupts a write of its own thread.
        self.lock = threading.RLock()
        self._buffers: list[_PrintBuffer] = []
        os.register_at_fork(after_in_child=self._renew_lock)

    def take_over(self, mark: str, beat: Callable[[], None]) -> None:
        """Write for another process from now on, whose own files are on the descriptors by now."""
        self._mark, self.beat = mark.encode(), beat
        for buffer in self._buffers:
            buffer.know_file()

    def write_line(self, line: bytes) -> None:
        """Write a rendered line."""
        with self.lock:
            for packet in pack(self._mark, f"{os.getpid()}.{next(self._numbers)}", line):
                self._pipe.write(packet)
        self.beat()

    def replace_streams(self) -> None:
        """Make sys.stdout and sys.stderr write here, line by line; a character that UTF-8 cannot encode is escaped."""
        _replaced_streams.extend((sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__))
        sys.stdout = sys.__stdout__ = self._stream(1, sys.__stdout__)  # type: ignore[misc]
        sys.stderr = sys.__stderr__ = self._stream(2, sys.__stderr__)  # type: ignore[misc]

    def _stream(self, descriptor: int, former: Any) -> io.TextIOWrapper:
        unbuffered = bool(getattr(former, "write_through", False))  # as by PYTHONUNBUFFERED
        buffer = _PrintBuffer(io.FileIO(descriptor, "w", closefd=False), self, unbuffered)
        self._buffers.append(buffer)
        return io.TextIOWrapper(
            buffer, encoding="utf-8", errors="backslashreplace", line_buffering=True, write_through=unbuffered
        )

    def _renew_lock(self) -> None:
        # Runs in a process that the job forks. Another thread may have held the lock at the fork; that thread does not
        # exist here, so the lock would never be released.
        self.lock = threading.RLock()


class _PrintBuffer(_Buffer):
    """The buffer below sys.stdout or sys.stderr."""

    # Why the buffer and not the raw file below it: a KeyboardInterrupt raised in a write() in Python there would leave
    # the buffer full after the bytes are out, and they would be written a second time.

    def __init__(self, raw: io.FileIO, stdio: Stdio, unbuffered: bool) -> None:
        super().__init__(raw)
        self._stdio = stdio
        self._unbuffered = unbuffered
        self._number = raw.fileno()
        self.know_file()

    def know_file(self) -> None:
        """Take what is on the descriptor now for the file to write to."""
        self._file = KnownFile(self._number)

    def write(self, text: Any, /) -> int:
        with self._stdio.lock:
            self._stdio.beat()
            if not self._is_lost() and not PRINTS.take(self._print_now, text):
                self._print(text)
            return len(text)

    def _print(self, text: bytes) -> None:
        super().write(SECRETS.mask_bytes(bytes(text)) if SECRETS else text)
        if self._unbuffered:
            super().flush()

    def _print_now(self, text: bytes) -> None:
        with self._stdio.lock:
            self._print(text)
            self.flush()

    def flush(self) -> None:
        with self._stdio.lock:  # a rendered line must not come between the parts of a flush
            if not self._is_lost():
                super().flush()

    def _is_lost(self) -> bool:
        return not self._file.is_at(self._number) and not takes_prints(self._number)


_replaced_streams: list[object] = []
"""Keeps the streams from before alive: their finalisers would close descriptors 1 and 2."""

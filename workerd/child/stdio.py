"""What a child writes: printed text and rendered log lines, through one pipe, hence in order."""

import io
import os
import select
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

LINE_BYTES = 64 * 1024
"""A rendered line with its mark and newline; what is longer is cut before it is written."""


if TYPE_CHECKING:
    _Buffer = io.BufferedWriter[io.FileIO]
else:
    _Buffer = io.BufferedWriter


class LineWriter(Protocol):
    """Where rendered lines go."""

    def write_line(self, line: bytes) -> None:
        """Write one rendered line; it has no newline of its own."""


class Stdio:
    """Descriptor 1. ``mark`` prefixes rendered lines, so that printed text cannot pass for one."""

    def __init__(self, mark: str, beat: Callable[[], None]) -> None:
        self._mark = f"{mark} ".encode()
        self._beat = beat
        self.lock = threading.RLock()  # a signal handler of the project's may log while its thread writes
        self._at_line_start = True
        os.register_at_fork(after_in_child=self._renew_lock)

    def write_line(self, line: bytes) -> None:
        """Write one rendered line, on a line of its own even after text without a newline."""
        with self.lock:
            start = b"" if self._at_line_start else b"\n"
            self._at_line_start = False  # until it is written whole: Ctrl-C may come between
            _write_all(1, b"%b%b%b\n" % (start, self._mark, line))
            self._at_line_start = True
        self._beat()

    def note_printed(self, text: bytes) -> None:
        """Beat, and remember whether the text ended its line."""
        if text:
            self._at_line_start = text.endswith(b"\n")
        self._beat()

    def take_streams(self) -> None:
        """Make sys.stdout and sys.stderr write here, line by line, and never fail for a character."""
        _former.extend((sys.stdout, sys.stderr))
        sys.stdout = self._stream(1)
        sys.stderr = self._stream(2)

    def _stream(self, descriptor: int) -> io.TextIOWrapper:
        buffer = _Printed(io.FileIO(descriptor, "w", closefd=False), self)
        return io.TextIOWrapper(buffer, encoding="utf-8", errors="backslashreplace", line_buffering=True)

    def _renew_lock(self) -> None:
        """In a fork of the job's own: another thread may have held it, and does not exist there."""
        self.lock = threading.RLock()


class _Printed(_Buffer):
    """Below sys.stdout or sys.stderr. Not the raw end: Ctrl-C in Python code there would have text written twice."""

    def __init__(self, raw: io.FileIO, output: Stdio) -> None:
        super().__init__(raw)
        self._output = output

    def write(self, text: Any, /) -> int:
        """Write, and let it count."""
        with self._output.lock:
            self._output.note_printed(bytes(text))
            return super().write(text)

    def flush(self) -> None:
        """Let no rendered line come between."""
        with self._output.lock:
            super().flush()


_former: list[object] = []
"""The streams before: collected, they would close descriptors 1 and 2."""


def _write_all(descriptor: int, data: bytes) -> None:
    """Write to the pipe, however it is set; a daemon that is gone reads nothing, and is no error of the job's."""
    while data:
        try:
            data = data[os.write(descriptor, data) :]
        except BlockingIOError:  # something of the job's made the descriptor non-blocking
            poller = select.poll()
            poller.register(descriptor, select.POLLOUT)
            poller.poll()
        except BrokenPipeError:
            return

"""The daemon's standard output. It is never waited for: while it is stuck, a ring of 8 MiB drops the oldest lines."""

import os
from collections import deque
from collections.abc import Callable

from .loop import WRITE, Loop, Timer
from .stdout_kinds import open_stdout

RING_BYTES = 8 * 1024 * 1024
RETRY_S = 1.0
"""The pause after an error, and after a file took a part: nothing tells when a disk has room, or a reader is back."""
NO_ROOM = "No room for a whole line"


class Stdout:
    """Writes lines whole or not at all. Once the output flows again, ``on_dropped`` gets the count of lost lines."""

    def __init__(self, loop: Loop, descriptor: int, on_dropped: Callable[[int, str], None]) -> None:
        """``on_dropped`` is also told the last error, "" where the reader was only slow."""
        self._loop = loop
        self._on_dropped = on_dropped
        self._lines: deque[bytes] = deque()
        self._bytes = 0
        self._taken = b""
        """The line that has left the ring and is not written whole yet."""
        self._dropped = 0
        self._flush_is_due = self._stuck = False
        self._retry: Timer | None = None
        self._last_error = ""
        self.trouble = ""
        """Why nothing can be written now; "" while lines flow, or wait for a slow reader."""
        self._write, self._descriptor, self._batch = open_stdout(descriptor)
        loop.at_turn_end(self.flush)

    def write_line(self, line: bytes) -> None:
        """Queue one line with its newline: it is written before whatever this turn goes on to tell somebody else."""
        if not (self._stuck or self._flush_is_due):
            self._flush_is_due = True
            self._loop.call_soon(self.flush)  # before an answer of the control socket that follows the line
        self._lines.append(line)
        self._bytes += len(line)
        while self._bytes > RING_BYTES:
            self._bytes -= len(self._lines.popleft())
            self._dropped += 1

    def flush(self) -> None:
        """Write what can be written now."""
        self._flush_is_due = False
        while not self._stuck and (self._taken or self._lines):
            self._taken = self._taken or self._take()
            self._write_taken()
        if self._dropped and not self._stuck:
            count, self._dropped = self._dropped, 0
            self._on_dropped(count, self._last_error)
            self._last_error = ""

    def close(self) -> None:
        """Write what can be written, and close the descriptor."""
        self._go_on()
        if self._retry is not None:
            self._retry.cancel()
        self._loop.unwatch(self._descriptor)
        os.close(self._descriptor)

    def _write_taken(self) -> None:
        try:
            self._taken = self._taken[self._write(self._taken) :]
        except BlockingIOError:
            self._wait_for_reader()
        except OSError as error:  # a full disk, or nobody reads: supervision goes on, and the log when it can
            self._try_again_later(error.strerror or repr(error))
        else:
            self.trouble = ""
            if self._taken:
                self._wait_for_reader()

    def _wait_for_reader(self) -> None:
        try:
            self._loop.watch(self._descriptor, WRITE, lambda _: self._go_on())
        except PermissionError:  # a file: epoll(7) does not know it
            self._try_again_later(NO_ROOM)
        else:
            self._stuck, self.trouble = True, ""

    def _try_again_later(self, trouble: str) -> None:
        self._stuck, self.trouble = True, trouble
        self._last_error = trouble
        self._retry = self._loop.call_in(RETRY_S, self._go_on)

    def _go_on(self) -> None:
        self._stuck = False
        self._loop.unwatch(self._descriptor)
        self.flush()

    def _take(self) -> bytes:
        taken: list[bytes] = []
        size = 0
        while self._lines and (not taken or size + len(self._lines[0]) <= self._batch):
            taken.append(self._lines.popleft())
            size += len(taken[-1])
        self._bytes -= size
        return b"".join(taken)

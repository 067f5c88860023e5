"""Reads the children's output: a line that their logging rendered passes on, other text becomes ``child.output``."""

import os
from collections.abc import Callable, Mapping
from typing import Any

from .last_lines import LastLines
from .log import EventLog
from .loop import READ, Loop

LINE_BYTES = 64 * 1024
CHUNK_BYTES = 64 * 1024
DRAIN_BYTES = 1024 * 1024
"""The most that a pipe holds. If more comes, a grandchild is still writing."""
SHARE_BYTES = 256 * 1024
"""The most that is read from one child in one turn of the loop; the other children come before the rest is read."""
KEPT_LINES = 50
KEPT_BYTES = 32_000
"""The most bytes of those lines; a run's row takes no more."""
CAPTURE_BYTES = 256 * 1024
"""More than the stacks of a hundred threads. What a child prints beyond it is ordinary output."""
CUT = b" [cut]"


class ChildOutput:
    """The read end of one child's pipe. A line that begins with ``mark``, a secret, comes from the child's logging."""

    def __init__(self, loop: Loop, log: EventLog, descriptor: int) -> None:
        self._loop = loop
        self._log = log
        self._descriptor = descriptor
        self._rest = b""
        self._cutting = False
        self._captured: list[bytes] | None = None
        self._capture_left = 0
        self._on_captured: Callable[[], None] = lambda: None
        self.heard_at = 0.0
        self.mark = b""
        self.identity: Mapping[str, Any] = {}
        self.last_lines = LastLines(KEPT_LINES, KEPT_BYTES)
        os.set_blocking(descriptor, False)
        loop.watch(descriptor, READ, lambda _: self._read(SHARE_BYTES))

    def capture(self, on_line: Callable[[], None]) -> None:
        """Keep the unmarked lines from now on, which are a stack dump; call ``on_line`` after each."""
        self._captured, self._capture_left = [], CAPTURE_BYTES
        self._on_captured = on_line

    def captured(self) -> list[bytes]:
        """End the capture and return its lines."""
        lines, self._captured = self._captured or [], None
        return lines

    def drain(self) -> None:
        """Read what the pipe holds now. Its end-of-file may never come: a grandchild may hold the pipe open."""
        self._read(DRAIN_BYTES)

    def close(self) -> None:
        """Log what there is of an unfinished line, and close the pipe."""
        if self._descriptor >= 0:
            if self._rest and not self._cutting:
                self._take(self._rest)
            self._rest = b""
            self._loop.unwatch(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1

    def _read(self, share: int) -> None:
        while self._descriptor >= 0 and share > 0:
            try:
                chunk = os.read(self._descriptor, CHUNK_BYTES)
            except BlockingIOError:
                return
            except OSError:
                chunk = b""
            if not chunk:
                self._loop.unwatch(self._descriptor)
                return
            share -= len(chunk)
            self.heard_at = self._loop.clock.monotonic()
            self._split(chunk)

    def _split(self, chunk: bytes) -> None:
        lines = (self._rest + chunk).split(b"\n")
        self._rest = lines.pop()
        for line in lines:
            if self._cutting:
                self._cutting = False  # this is the end of a line whose beginning was cut and logged
            else:
                self._take(line)
        if len(self._rest) > LINE_BYTES:
            if not self._cutting:
                self._take(self._rest)
            self._cutting = True
            self._rest = b""

    def _take(self, line: bytes) -> None:
        if len(line) > LINE_BYTES:
            line = line[:LINE_BYTES] + CUT
        if self.mark and line.startswith(self.mark):
            rendered = line[len(self.mark) :]
            self.last_lines.append(rendered)
            self._log.relay(rendered)
        elif self._captured is not None and self._capture_left > 0:
            self._capture_left -= len(line) + 1
            self._captured.append(line)
            self._on_captured()
        elif line.strip():
            self.last_lines.append(line)
            self._log.emit("child.output", **self.identity, line=line.decode("utf-8", "replace"))

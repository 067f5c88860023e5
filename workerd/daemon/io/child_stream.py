"""Reads one pipe of a child, stdout or stderr: a share in each turn of the loop, so that no child keeps the others."""

import os
from collections.abc import Callable

from .line_splitter import LineSplitter
from .loop import READ, Loop

CHUNK_BYTES = 4096
"""Read at once. A chunk of short lines is a thousand times the work of one long line, so it is small."""
SHARE_BYTES = 256 * 1024
SHARE_LINES = 500
"""The most that is read in one turn of the loop; the other children come before the rest is read."""
DRAIN_BYTES = 1024 * 1024
"""The most that a pipe holds. If more comes, a grandchild is still writing."""


class ChildStream:
    """The read end of a pipe; each line goes to ``take``."""

    def __init__(self, loop: Loop, descriptor: int, take: Callable[[bytes], None]) -> None:
        self._loop = loop
        self.descriptor = descriptor
        self._take = take
        self._splitter = LineSplitter()
        self.heard_at = 0.0
        os.set_blocking(descriptor, False)
        loop.watch(descriptor, READ, lambda _: self._read(SHARE_BYTES, SHARE_LINES))

    def drain(self) -> None:
        """Read what the pipe holds now. Its end-of-file may never come: a grandchild may hold the pipe open."""
        self._read(DRAIN_BYTES, DRAIN_BYTES)

    def finish(self) -> None:
        """Take what there is of an unfinished line."""
        if rest := self._splitter.finish():
            self._take(rest)

    def close(self) -> None:
        """Close the pipe; harmless a second time."""
        if self.descriptor >= 0:
            self._loop.unwatch(self.descriptor)
            os.close(self.descriptor)
            self.descriptor = -1

    def _read(self, left_bytes: int, left_lines: int) -> None:
        while self.descriptor >= 0 and left_bytes > 0 and left_lines > 0:
            try:
                chunk = os.read(self.descriptor, CHUNK_BYTES)
            except BlockingIOError:
                return
            except OSError:
                chunk = b""
            if not chunk:
                self._loop.unwatch(self.descriptor)
                return
            self.heard_at = self._loop.clock.monotonic()
            lines = self._splitter.feed(chunk)
            left_bytes -= len(chunk)
            left_lines -= len(lines)
            for line in lines:
                self._take(line)

"""Reads one pipe of a child, stdout or stderr: a share in each turn of the loop, so that no child keeps the others."""

import fcntl
import math
import os
import struct
import termios
from collections import deque
from collections.abc import Callable

from .line_splitter import LineSplitter
from .loop import READ, SHARE_S, Loop

CHUNK_BYTES = 4096
"""Read at once."""
SHARE_BYTES = 256 * 1024
SHARE_LINES = 100
"""The most that is taken in one turn of the loop. The pipe of a child that writes more fills up, so that it waits."""
STREAM_SHARE_S = SHARE_S / 4
"""After this time a stream's share ends, too: a line may cost much, and a busy machine stretches each."""
LAST_WORDS_S = 2.0
"""The seconds in which the daemon takes what an ended child has left in a pipe; of the rest it takes the end alone."""
LAST_LINES = 500


class ChildStream:
    """The read end of a pipe; each line goes to ``take``."""

    def __init__(self, loop: Loop, descriptor: int, take: Callable[[bytes], None]) -> None:
        self._loop = loop
        self.descriptor = descriptor
        self._take = take
        self._splitter = LineSplitter()
        self._lines: deque[bytes] = deque()
        """Whole lines that were read and not taken yet; while there are some, nothing more is read."""
        self._then: Callable[[], None] | None = None
        """Called once what an ended child has left in the pipe is taken."""
        self._left = 0
        """With ``_then``: how much of it is not read yet."""
        self._finish_by = self.heard_at = 0.0
        self._at_once = False
        self.dropped = 0
        """Lines that an ended child had left, and for which there was no time."""
        os.set_blocking(descriptor, False)
        loop.watch(descriptor, READ, self._ready)

    def look(self) -> None:
        """Count as heard what the pipe holds now, though it is read later."""
        if self._unread():
            self.heard_at = self._loop.clock.monotonic()

    def finish(self, then: Callable[[], None], patience_s: float) -> None:
        """Take what the pipe holds now, also an unfinished line, then call ``then``: at once, or some turns later.

        The end-of-file may never come: another process may hold the pipe open, and go on to write.
        """
        self._left, self._then = self._unread(), then
        self._finish_by, self._at_once = self._loop.clock.monotonic() + patience_s, patience_s <= 0
        if self.descriptor >= 0:
            self._loop.unwatch(self.descriptor)
        if not self._lines or patience_s <= 0:  # else the next share is under way
            self._take_share()

    def close(self) -> None:
        """Close the pipe; harmless a second time."""
        if self.descriptor >= 0:
            self._loop.unwatch(self.descriptor)
            os.close(self.descriptor)
            self.descriptor = -1
        self._lines.clear()

    def _ready(self, _: int) -> None:
        if not self._lines:  # else the next share is under way
            self._take_share()

    def _take_share(self) -> None:
        more = True  # after an error, too: each line is taken once
        try:
            more = self._take_lines()
        finally:
            if more:
                self._loop.call_next(self._take_share)
            elif self._then is not None:
                self._end(self._then)

    def _take_lines(self) -> bool:
        """Take this turn's share of the lines; return whether there are more."""
        count, left, until = SHARE_LINES, SHARE_BYTES, self._loop.clock.monotonic() + STREAM_SHARE_S
        if self._then is not None and self._loop.clock.monotonic() >= self._finish_by:
            self._hurry()
            if self._at_once:
                count, until = LAST_LINES, math.inf
        for _ in range(count):
            while not self._lines and left > 0 and (size := self._read_chunk()):
                left -= size
            if not self._lines:
                break
            self._take(self._lines.popleft())
            if self._loop.clock.monotonic() >= until:
                break
        return bool(self._lines) or (self._then is not None and self._left > 0)

    def _end(self, then: Callable[[], None]) -> None:
        self._then = None
        try:
            if rest := self._splitter.finish():
                self._take(rest)
        finally:
            then()

    def _read_chunk(self) -> int:
        """Read a chunk, and return its size; 0 where there is nothing to read, now or ever."""
        limit = CHUNK_BYTES if self._then is None else min(CHUNK_BYTES, self._left)
        try:
            chunk = os.read(self.descriptor, limit) if self.descriptor >= 0 and limit else b""
        except BlockingIOError:
            self._left = 0
            return 0
        except OSError:
            chunk = b""
        if not chunk:
            self._left = 0
            if self.descriptor >= 0:
                self._loop.unwatch(self.descriptor)
            return 0
        if self._then is not None:
            self._left -= len(chunk)
        self.heard_at = self._loop.clock.monotonic()
        self._lines.extend(self._splitter.feed(chunk))
        return len(chunk)

    def _hurry(self) -> None:
        """Read all that is left, and keep its last lines: they tell the most of a child's end."""
        while self._left > 0 and self._read_chunk():
            pass
        while len(self._lines) > LAST_LINES:
            self._lines.popleft()
            self.dropped += 1

    def _unread(self) -> int:
        """Return how many bytes the pipe holds; 0 where it is closed or does not tell."""
        try:
            (size,) = struct.unpack("i", fcntl.ioctl(self.descriptor, termios.FIONREAD, bytes(4)))
        except (OSError, ValueError):
            return 0
        return int(size)

"""Splits a stream of text into lines, as one looks at them on a terminal: what was written over is not shown."""

from workerd.wire.marked_lines import LINE_BYTES

TAIL_BYTES = 16 * 1024
"""Of a line that is too long, so much of its end is kept, and its beginning as far as there is room."""
CUT = b" [%d bytes cut] "


def last_state(text: bytes) -> bytes:
    """Return what stands in a line at last, where each carriage return begins it anew; a blank one erases nothing."""
    if b"\r" not in text:
        return text
    return next((state for state in reversed(text.split(b"\r")) if state.strip()), b"")


class LineSplitter:
    """Takes chunks and returns lines without their newline; keeps the unfinished line, within LINE_BYTES."""

    def __init__(self) -> None:
        self._rest = b""
        self._head = b""
        """The beginning of an unfinished line that is too long already; then ``_rest`` is its end."""
        self._cut = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """Return the lines that ``chunk`` ends."""
        lines = (self._rest + chunk).split(b"\n")
        rest = lines.pop()
        if lines:
            self._rest = lines[0]
            lines[0] = self.finish()
        self._rest = rest
        self._shorten()
        return lines

    def finish(self) -> bytes:
        """Return the unfinished line, and begin the next."""
        self._shorten()
        line = self._head + CUT % self._cut + self._rest if self._cut else self._head + self._rest
        self._rest = self._head = b""
        self._cut = 0
        return line

    def _shorten(self) -> None:
        if len(self._head) + len(self._rest) <= LINE_BYTES:
            return
        if b"\r" in self._rest:  # it may be a progress bar, whose former states need not be kept
            self._head, self._cut = b"", 0
            self._rest = last_state(self._rest) + (b"\r" if self._rest.endswith(b"\r") else b"")
        if not self._head and len(self._rest) > LINE_BYTES:
            room = LINE_BYTES - TAIL_BYTES
            self._head, self._rest = self._rest[:room], self._rest[room:]
        if self._head:
            self._cut += max(0, len(self._rest) - TAIL_BYTES)
            self._rest = self._rest[-TAIL_BYTES:]

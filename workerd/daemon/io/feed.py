"""The lines of the log that the exporter has yet to send: numbered, each with whether the daemon itself wrote it."""

from collections import deque
from itertools import islice

FEED_BYTES = 4 * 1024 * 1024
"""The most that is kept for an exporter that does not come, or that cannot send."""
LINE_COST = 120
"""The bytes that a line takes in memory beside its own."""
ANSWER_BYTES = 256 * 1024
ANSWER_LINES = 500
"""The most that is given at a time, so that no turn of the loop takes long."""
OWN, OTHER = b"=", b"-"
"""The mark before a line: a process of a job may log a line that looks like one of the daemon's."""


class Feed:
    """Keeps lines until they are sent, of too many the newest. Numbers begin with 1; a gap tells what was dropped."""

    def __init__(self) -> None:
        self._lines: deque[tuple[bytes, bytes]] = deque()
        self._bytes = 0
        self._first = 1

    def append(self, line: bytes, *, own: bool) -> None:
        """Keep ``line``, and drop the oldest ones that no longer fit."""
        self._lines.append((OWN if own else OTHER, line))
        self._bytes += len(line) + LINE_COST
        while self._bytes > FEED_BYTES:
            self._drop()

    def forget(self, number: int) -> None:
        """Drop the lines up to ``number``: they are sent."""
        while self._lines and self._first <= number:
            self._drop()

    def after(self, number: int) -> tuple[int, list[bytes]]:
        """Return the number of the first line after ``number`` that is here, and lines from it on."""
        first = max(self._first, number + 1)
        lines: list[bytes] = []
        left = ANSWER_BYTES
        for mark, line in islice(self._lines, first - self._first, first - self._first + ANSWER_LINES):
            left -= len(line)
            if lines and left < 0:
                break
            lines.append(mark + line)
        return first, lines

    def _drop(self) -> None:
        _, line = self._lines.popleft()
        self._bytes -= len(line) + LINE_COST
        self._first += 1

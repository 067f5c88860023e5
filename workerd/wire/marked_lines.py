"""Rendered lines in a child's output: they travel between printed text, behind a mark, in whole packets.

The kernel keeps a write of PACKET_BYTES together, whoever else writes into the pipe; a longer line is several packets.
"""

from collections.abc import Callable, Iterator

PACKET_BYTES = 4096
"""The most bytes that a write into a pipe keeps together: PIPE_BUF of Linux, pipe(7)."""
LINE_BYTES = 44 * 1024
"""The longest line, rendered or printed: a printed one becomes an event, of LOG_LINE_BYTES at most."""
UNFINISHED_BYTES = 4 * 1024 * 1024
"""The most that is kept of unfinished lines: each process and each signal handler of a job may write one at a time."""

_WHOLE, _PART, _LAST = b" ", b"+", b"="


def pack(mark: bytes, key: str, line: bytes) -> Iterator[bytes]:
    """Return the packets of ``line``, which has no newline; ``key`` is no other unfinished line's."""
    if len(mark) + len(line) + 2 <= PACKET_BYTES:
        yield b"%b%b%b\n" % (mark, _WHOLE, line)
        return
    name = key.encode()
    room = PACKET_BYTES - len(mark) - len(name) - 3
    for start in range(0, len(line), room):
        kind = _PART if start + room < len(line) else _LAST
        yield b"%b%b%b %b\n" % (mark, kind, name, line[start : start + room])


class Unpacker:
    """Puts lines together again from what stands behind the mark of each packet.

    ``on_lost`` gets the beginning of a line that is given up: of those that nobody finishes, the oldest one.
    """

    def __init__(self, on_lost: Callable[[bytes], None]) -> None:
        self._on_lost = on_lost
        self._unfinished: dict[bytes, bytes] = {}
        self._bytes = 0

    def take(self, packet: bytes) -> bytes | None:
        """Return the line that ``packet`` ends, or None."""
        kind = packet[:1]
        if kind not in {_PART, _LAST}:
            return packet[1:]
        key, _, part = packet[1:].partition(b" ")
        line = self._forget(key) + part
        if kind == _LAST:
            return line
        self._unfinished[key] = line
        self._bytes += len(key) + len(line)
        while self._bytes > UNFINISHED_BYTES:
            self._on_lost(self._forget(next(iter(self._unfinished))))
        return None

    def finish(self) -> None:
        """Give up all lines that are not finished."""
        for key in tuple(self._unfinished):
            self._on_lost(self._forget(key))

    def _forget(self, key: bytes) -> bytes:
        line = self._unfinished.pop(key, None)
        if line is None:
            return b""
        self._bytes -= len(key) + len(line)
        return line

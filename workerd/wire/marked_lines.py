"""How a rendered line travels in a child's output, between the text that is printed: behind a mark, in whole packets.

The kernel keeps a write of PACKET_BYTES together, whoever else writes into the pipe; a longer line is several packets.
"""

from collections.abc import Iterator

PACKET_BYTES = 4096
"""The most bytes that a write into a pipe keeps together: PIPE_BUF of Linux, pipe(7)."""
LINE_BYTES = 64 * 1024
"""The longest line, rendered or printed."""
UNFINISHED = 16
"""The most lines that may be unfinished at once: each process and each signal handler of a job may write one."""

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
    """Puts lines together again from what stands behind the mark of each packet."""

    def __init__(self) -> None:
        self._unfinished: dict[bytes, bytes] = {}

    def take(self, packet: bytes) -> bytes | None:
        """Return the line that ``packet`` ends, or None; of lines that nobody finishes the oldest is given up."""
        kind = packet[:1]
        if kind not in {_PART, _LAST}:
            return packet[1:]
        key, _, part = packet[1:].partition(b" ")
        line = self._unfinished.pop(key, b"") + part
        if kind == _LAST:
            return line
        self._unfinished[key] = line[:LINE_BYTES]
        if len(self._unfinished) > UNFINISHED:
            del self._unfinished[next(iter(self._unfinished))]
        return None

    def rest(self) -> list[bytes]:
        """Return the beginnings of the lines that nobody has finished, and forget them."""
        lines = list(self._unfinished.values())
        self._unfinished.clear()
        return lines

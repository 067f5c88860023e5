"""The last lines of a stream that has no end."""

from collections import deque
from collections.abc import Iterator


class LastLines:
    """Keeps at most ``count`` lines and ``size`` bytes of them, but always the newest line."""

    def __init__(self, count: int, size: int) -> None:
        self._count = count
        self._size = size
        self._lines: deque[bytes] = deque()
        self._bytes = 0

    def append(self, line: bytes) -> None:
        """Keep ``line``, and drop the oldest ones that no longer fit."""
        self._lines.append(line)
        self._bytes += len(line)
        while len(self._lines) > self._count or (self._bytes > self._size and len(self._lines) > 1):
            self._bytes -= len(self._lines.popleft())

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._lines)

    def __len__(self) -> int:
        return len(self._lines)

"""The last lines of something that writes on and on."""

from collections import deque
from collections.abc import Iterator


class LastLines:
    """At most ``count`` lines and ``size`` bytes of them; the newest is there whatever its size."""

    def __init__(self, count: int, size: int) -> None:
        self._count = count
        self._size = size
        self._lines: deque[bytes] = deque()
        self._bytes = 0

    def append(self, line: bytes) -> None:
        """Keep ``line``, and let the oldest go."""
        self._lines.append(line)
        self._bytes += len(line)
        while len(self._lines) > self._count or (self._bytes > self._size and len(self._lines) > 1):
            self._bytes -= len(self._lines.popleft())

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._lines)

    def __len__(self) -> int:
        return len(self._lines)

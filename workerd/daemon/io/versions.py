"""The versions of records: numbers that only grow, over restarts of the daemon and whatever the clock does."""

import os

from workerd.daemon.rules.clock import Clock
from workerd.wire.epochs import COUNTS_A_LIFE

from .files import StrPath, read_text, write_private


class Versions:
    """Counts up from ``epoch * 2**36``. Each start of the daemon raises the epoch, which a file in STATE_DIR keeps.

    The epoch is at least the minutes since 1970: without the file, the rows of earlier lives are still older.
    """

    def __init__(self, path: StrPath, clock: Clock) -> None:
        self._path = os.fspath(path)
        self._epoch = max(_read(self._path) + 1, int(clock.wall() // 60))
        self._last = self._epoch * COUNTS_A_LIFE
        self.keep()

    def keep(self) -> None:
        """Write the epoch to its file, for later starts of the daemon. Raises OSError."""
        write_private(self._path, f"{self._epoch}\n")

    def next(self) -> int:
        """Return a number larger than any before."""
        self._last += 1
        return self._last


def _read(path: str) -> int:
    try:
        return int(read_text(path))
    except (FileNotFoundError, ValueError):
        return 0

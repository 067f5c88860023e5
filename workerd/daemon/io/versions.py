"""Numbers that only grow, over restarts of the daemon and whatever the clock does: the versions of records."""

import os
from pathlib import Path

from workerd.daemon.rules.clock import Clock
from workerd.wire.epochs import COUNTS_A_LIFE


class Versions:
    """``epoch * 2**36 + count``; the epoch is raised in a file of STATE_DIR at each start of the daemon.

    It is no less than the minutes since 1970: where STATE_DIR was lost, rows of earlier lives are older all the same.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._epoch = max(_read(path) + 1, int(clock.wall() // 60))
        self._last = self._epoch * COUNTS_A_LIFE
        self.keep()

    def keep(self) -> None:
        """Write down the epoch, for the lives to come. Raises OSError."""
        fresh = self._path.with_name(f"{self._path.name}.new")
        with fresh.open("w") as file:
            file.write(f"{self._epoch}\n")
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._path)

    def next(self) -> int:
        """Return a number larger than any before."""
        self._last += 1
        return self._last


def _read(path: Path) -> int:
    try:
        return int(path.read_text())
    except (FileNotFoundError, ValueError):
        return 0

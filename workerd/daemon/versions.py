"""Numbers that only grow, over restarts of the daemon and whatever the clock does: the versions of records."""

import os
from pathlib import Path

from workerd.wire.epochs import COUNTS_A_LIFE

from .clock import Clock


class Versions:
    """``epoch * 2**36 + count``; the epoch is raised in a file of STATE_DIR at each start of the daemon.

    It is no less than the minutes since 1970: where STATE_DIR was lost, rows of earlier lives are older all the same.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        epoch = max(_read(path) + 1, int(clock.wall() // 60))
        fresh = path.with_name(f"{path.name}.new")
        with fresh.open("w") as file:
            file.write(f"{epoch}\n")
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
        self._last = epoch * COUNTS_A_LIFE

    def next(self) -> int:
        """Return a number larger than any before."""
        self._last += 1
        return self._last


def _read(path: Path) -> int:
    try:
        return int(path.read_text())
    except (FileNotFoundError, ValueError):
        return 0

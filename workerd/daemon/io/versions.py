"""The versions of records: numbers that only grow, over restarts of the daemon, whatever clocks and disks do."""

import os
from contextlib import suppress

from workerd.daemon.rules.clock import Clock
from workerd.wire.epochs import COUNTS_A_LIFE, LATEST_EPOCH, first_after

from .files import StrPath, read_text, write_private


class Versions:
    """Counts up from ``epoch * 2**36``. Each start of the daemon raises the epoch, which a file in STATE_DIR keeps.

    Where the file is lost, the minutes since 1970 are tried; whether they are enough, the ledger finds out by what
    earlier lives have left (``pass_over``).
    """

    def __init__(self, path: StrPath, clock: Clock) -> None:
        self._path = os.fspath(path)
        self._epoch = max(_read(self._path) + 1, min(int(clock.wall() // 60), LATEST_EPOCH))
        self._last = self.first
        self._met: set[str] = set()
        self.keep()

    def pass_over(self, version: int, where: str) -> bool:
        """Take a version that was found; return whether an earlier life made it and it was too large for this one.

        What is found for the first time at a place was there before this life had written anything.
        """
        is_mine = where in self._met and version <= self._last
        self._met.add(where)
        if is_mine or version < self.first:
            return False
        self._epoch = first_after(version) // COUNTS_A_LIFE
        self._last = self.first
        with suppress(OSError):  # the next start finds out again
            self.keep()
        return True

    @property
    def first(self) -> int:
        """The number that all versions of this life are larger than."""
        return self._epoch * COUNTS_A_LIFE

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

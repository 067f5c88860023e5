"""Counters in a file that parent, children and onlooker share, so that whoever is killed leaves its figures behind."""

import mmap
import os
from pathlib import Path

WORDS, TEXT_BYTES, ROWS = 8, 192, 4096
ROW_BYTES = WORDS * 8 + TEXT_BYTES
ANSWERED, WRONG, ERRORS, WRITTEN, DONE = range(5)
PARENT = 0
"""The parent's row; children have those from 1 on, one a birth."""


class Counters:
    """One row of words a process, with room for the text of its first error."""

    def __init__(self, path: Path) -> None:
        with path.open("r+b" if path.exists() else "w+b") as file:
            if os.fstat(file.fileno()).st_size == 0:
                file.truncate(ROWS * ROW_BYTES)
            self._map = mmap.mmap(file.fileno(), ROWS * ROW_BYTES)
        self._bytes = memoryview(self._map)
        self._words = [self._bytes[at : at + WORDS * 8].cast("Q") for at in range(0, ROWS * ROW_BYTES, ROW_BYTES)]

    def add(self, row: int, word: int) -> None:
        """Count one."""
        self._words[row][word] += 1

    def get(self, row: int, word: int) -> int:
        """Return one process's count."""
        return self._words[row][word]

    def total(self, word: int, births: int) -> int:
        """Return the children's count together."""
        return sum(self._words[row][word] for row in range(1, births + 1))

    def keep_error(self, row: int, error: BaseException) -> None:
        """Count an error, and keep the text of the first."""
        if not self.get(row, ERRORS):
            text = " ".join(f"{type(error).__name__}: {error}".split()).encode()[: TEXT_BYTES - 1]
            at = row * ROW_BYTES + WORDS * 8
            self._bytes[at : at + len(text)] = text
        self.add(row, ERRORS)

    def error(self, row: int) -> str:
        """Return the text of the process's first error."""
        at = row * ROW_BYTES + WORDS * 8
        return bytes(self._bytes[at : at + TEXT_BYTES]).rstrip(b"\0").decode(errors="replace")

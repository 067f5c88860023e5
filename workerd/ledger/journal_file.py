"""The file at the journal's path: whether it is still the one written to, and how a bad one is put out of the way."""

import sqlite3
from contextlib import suppress
from pathlib import Path

from workerd.errors import WorkerdError


class TakenAwayError(WorkerdError, sqlite3.OperationalError):
    """The file that the journal writes to is no longer at its path."""

    def __init__(self) -> None:
        super().__init__("it was taken away")


def identify(path: Path) -> tuple[tuple[int, int] | None, ...]:
    """Return device and inode of the journal and of its write-ahead log; None for one that is not there.

    Raises OSError where this process may not look.
    """
    return tuple(_identity(file) for file in (path, path.with_name(f"{path.name}-wal")))


def clear_path(path: Path, error: sqlite3.Error) -> str:
    """Make room at ``path`` for a new journal, after ``error``; return what became of the old file.

    Return "" where the file must stay: its content is sound, and the disk is at fault, or its folder is closed to us.
    """
    with suppress(OSError):
        if isinstance(error, TakenAwayError) or identify(path)[0] is None:
            make_folder(path)
            return "it was taken away"
        if is_broken(error):
            _move_aside(path)
            return f"it was broken ({error}), and is now {path.name}.broken"
    return ""


def is_broken(error: sqlite3.Error) -> bool:
    """Return whether the file's content is at fault, not the disk under it."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def make_folder(path: Path) -> None:
    """Make the folder of ``path``, where nothing but that folder is missing."""
    with suppress(OSError):
        path.parent.mkdir(mode=0o700, exist_ok=True)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_dev, found.st_ino


def _move_aside(path: Path) -> None:
    """Rename the file and delete its log. Raises OSError where the folder does not allow it."""
    path.rename(path.with_name(path.name + ".broken"))
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)

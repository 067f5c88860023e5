"""The journal as the ledger uses it, which never fails: with no disk to write to it goes on in memory and says so."""

import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import structlog

from workerd.wire.events import emit
from workerd.wire.messages import Record

from .journal import Entry, Journal

MEND_SECONDS = 10.0
_log = structlog.get_logger("workerd.ledger")
_T = TypeVar("_T")


class Spool:
    """A Journal that changes over to memory when its file fails, and back when that is writable again."""

    def __init__(self, path: Path | None, limit_bytes: int) -> None:
        self._path = path
        self._limit_bytes = limit_bytes
        self._mend_at = 0.0
        self._lock = threading.RLock()  # two threads of the ledger use it
        self._journal = self._open()

    @property
    def durable(self) -> bool:
        """Whether what is put here survives this process."""
        return self._journal.durable

    def __bool__(self) -> bool:
        return self._attempt(bool)

    def __len__(self) -> int:
        return self._attempt(len)

    def put(self, records: Sequence[Record]) -> None:
        """Keep the records; above SPOOL_MAX the oldest runs go, counted in an event."""
        dropped = self._attempt(lambda journal: journal.put(records))
        if dropped:
            reason = f"the journal holds SPOOL_MAX ({self._limit_bytes} bytes): its oldest {dropped} runs were dropped"
            emit(_log, "daemon.degraded", reason=reason)

    def take(self) -> list[Entry]:
        """Return the oldest batch."""
        return self._attempt(Journal.take)

    def forget(self, entries: Sequence[Entry]) -> None:
        """Drop what the database has."""
        self._attempt(lambda journal: journal.forget(entries))

    def set_aside(self, entry: Entry, reason: str) -> None:
        """Take a record that the database refuses out of the queue, with an event."""
        self._attempt(lambda journal: journal.set_aside(entry, reason))
        emit(_log, "ledger.set_aside", kind=entry.kind, key=entry.key, reason=reason)

    def mend(self) -> None:
        """Go back to the file when it can be written again, tried each ten seconds; begin a new one if it was taken."""
        if self._path is None or time.monotonic() < self._mend_at:
            return
        with self._lock:
            if not self.durable:
                self._go_back_to(self._path)
            elif not self._path.exists():
                self._change_over(sqlite3.OperationalError("it was taken away"))

    def _go_back_to(self, path: Path) -> None:
        self._mend_at = time.monotonic() + MEND_SECONDS
        try:
            journal = Journal(path, self._limit_bytes)
        except sqlite3.Error:
            return
        try:
            journal.put(_records(self._journal.take(-1)))
        except sqlite3.Error:
            journal.close()
            return
        self._journal.close()
        self._journal = journal
        emit(_log, "daemon.degraded", level="info", reason=f"the journal {path} can be written again")

    def close(self) -> None:
        """Close the file."""
        self._journal.close()

    def _attempt(self, work: Callable[[Journal], _T]) -> _T:
        with self._lock:
            try:
                return work(self._journal)
            except sqlite3.Error as error:
                if not self.durable:
                    raise
                self._change_over(error)
            return work(self._journal)

    def _open(self) -> Journal:
        try:
            return Journal(self._path, self._limit_bytes)
        except sqlite3.Error as error:
            return self._replacement(error)

    def _change_over(self, error: sqlite3.Error) -> None:
        """Replace the journal that raised ``error``, with what can still be read of it."""
        old = self._journal
        try:
            held = old.take(-1)
        except sqlite3.Error:
            held = []
        old.close()
        self._journal = self._replacement(error)
        self._attempt(lambda journal: journal.put(_records(held)))

    def _replacement(self, error: sqlite3.Error) -> Journal:
        """Return a new file in place of one that is gone or no journal, or memory where none can be written."""
        if self._path is not None and (why := _make_way(self._path, error)):
            with suppress(sqlite3.Error):
                journal = Journal(self._path, self._limit_bytes)
                emit(_log, "daemon.degraded", reason=f"the journal {self._path} {why}, a new one begun")
                return journal
        reason = f"the journal {self._path} cannot be written ({error}): free its disk; memory serves until then"
        emit(_log, "daemon.degraded", reason=reason)
        self._mend_at = time.monotonic() + MEND_SECONDS
        return Journal(None, self._limit_bytes)


def _records(entries: Sequence[Entry]) -> list[Record]:
    return [Record(0, entry.kind, entry.key, entry.version, entry.row) for entry in entries]


def _make_way(path: Path, error: sqlite3.Error) -> str:
    """Return why a new file may be begun at ``path``; nothing where what is there is to stay."""
    if not path.exists():
        return "was taken away"
    if _is_broken(error) and _move_aside(path):
        return f"is broken ({error}): moved to {path.name}.broken"
    return ""


def _is_broken(error: sqlite3.Error) -> bool:
    """Whether the file's content is at fault, not the disk under it."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _move_aside(path: Path) -> bool:
    """Rename the file and drop its log; False where the directory does not let us."""
    try:
        path.rename(path.with_name(path.name + ".broken"))
        for suffix in ("-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
    except OSError:
        return False
    return True

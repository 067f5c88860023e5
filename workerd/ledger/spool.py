"""The journal as the ledger uses it, which never fails: with no disk to write to it goes on in memory and says so."""

import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import structlog

from workerd.errors import WorkerdError
from workerd.wire.events import emit
from workerd.wire.messages import Record

from .journal import Entry, Journal, identify

MEND_SECONDS = 10.0
_log = structlog.get_logger("workerd.ledger")
_T = TypeVar("_T")


class TakenAwayError(WorkerdError, sqlite3.OperationalError):
    """The journal's file was removed or replaced while it was open."""

    def __init__(self) -> None:
        super().__init__("it was taken away")


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

    def append(self, records: Sequence[Record]) -> None:
        """Keep the records; above SPOOL_MAX the oldest runs go, counted in an event."""
        dropped = self._attempt(lambda journal: journal.append(records))
        with self._lock:
            self._come_back()
        if dropped:
            reason = f"the journal holds SPOOL_MAX ({self._limit_bytes} bytes): its oldest {dropped} runs were dropped"
            emit(_log, "daemon.degraded", reason=reason)

    def oldest(self) -> list[Entry]:
        """Return the oldest batch."""
        return self._attempt(Journal.oldest)

    def forget(self, entries: Sequence[Entry]) -> None:
        """Drop what the database has."""
        self._attempt(lambda journal: journal.forget(entries))

    def set_aside(self, entry: Entry, reason: str) -> None:
        """Take a record that the database refuses out of the queue, with an event."""
        self._attempt(lambda journal: journal.set_aside(entry, reason))
        emit(_log, "ledger.set_aside", kind=entry.kind, key=entry.key, reason=reason)

    def mend(self, *, at_once: bool = False) -> None:
        """Go back to the file when it can be written again, tried each ten seconds, or where it was taken away."""
        with self._lock:
            self._come_back()
            if self._path is not None and not self.durable and (at_once or time.monotonic() >= self._mend_at):
                self._go_back_to(self._path)

    def _come_back(self) -> None:
        if not self._journal.is_in_place():
            self._change_over(TakenAwayError())

    def _go_back_to(self, path: Path) -> None:
        self._mend_at = time.monotonic() + MEND_SECONDS
        _make_folder(path)
        try:
            journal = Journal(path, self._limit_bytes)
        except sqlite3.Error:
            return
        try:
            journal.append(_records(self._journal.all_entries()))
        except sqlite3.Error:
            journal.close()
            return
        self._journal.close()
        self._journal = journal
        emit(_log, "daemon.degraded", level="info", reason=f"the journal {path} can be written again")

    def close(self) -> None:
        """Close the file, with all in it; what only memory can hold goes, and that is said."""
        self.mend(at_once=True)
        if not self.durable and (count := len(self)):
            reason = f"the ledger ends with {count} records that neither its journal nor the database has taken"
            emit(_log, "daemon.degraded", reason=reason)
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
            held = old.all_entries()
        except sqlite3.Error:
            held = []
        old.close()
        self._journal = self._replacement(error)
        self._attempt(lambda journal: journal.append(_records(held)))

    def _replacement(self, error: sqlite3.Error) -> Journal:
        """Return a new file in place of one that is gone or no journal, or memory where none can be written."""
        if self._path is not None and (why := _make_way(self._path, error)):
            try:
                journal = Journal(self._path, self._limit_bytes)
            except sqlite3.Error as worse:
                if _is_broken(worse) and not _is_broken(error):
                    return self._replacement(worse)  # another was in its place, which is no journal
            else:
                emit(_log, "daemon.degraded", reason=f"the journal {self._path} {why}, a new one begun")
                return journal
        remedy = "see to its folder and its disk; memory serves until then"
        emit(_log, "daemon.degraded", reason=f"the journal {self._path} cannot be written ({error}): {remedy}")
        self._mend_at = time.monotonic() + MEND_SECONDS
        return Journal(None, self._limit_bytes)


def _records(entries: Sequence[Entry]) -> list[Record]:
    return [Record(0, entry.kind, entry.key, entry.version, entry.row) for entry in entries]


def _make_way(path: Path, error: sqlite3.Error) -> str:
    """Return why the file at ``path`` may be begun anew, or used if it is another; nothing where it is to be let be."""
    with suppress(OSError):
        if isinstance(error, TakenAwayError) or identify(path)[0] is None:
            _make_folder(path)
            return "was taken away"
        if _is_broken(error):
            _move_aside(path)
            return f"is broken ({error}): moved to {path.name}.broken"
    return ""


def _make_folder(path: Path) -> None:
    """Have its folder there, where only that is gone."""
    with suppress(OSError):
        path.parent.mkdir(mode=0o700, exist_ok=True)


def _is_broken(error: sqlite3.Error) -> bool:
    """Whether the file's content is at fault, not the disk under it."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _move_aside(path: Path) -> None:
    """Rename the file and drop its log. Raises OSError where the directory does not let us."""
    path.rename(path.with_name(path.name + ".broken"))
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)

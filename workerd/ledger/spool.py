"""The journal as the ledger uses it: it never fails, but goes on in memory while its file cannot be written."""

import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from workerd.forksafe.events import emit
from workerd.wire.messages import Record

from .entry import Entry
from .journal import Dropped, Journal
from .journal_file import TakenAwayError, clear_path, is_broken, make_folder

MEND_SECONDS = 1.0
"""How soon the file is tried again; later where a try takes long, so that it never takes more than a tenth of the time.

Until then a kill of ledger and daemon, while the database is out, loses what only they know.
"""
MEND_SHARE = 0.1
_T = TypeVar("_T")


class Spool:
    """A Journal that changes over to memory when its file fails, and back when the file can be written again."""

    def __init__(self, path: Path | None, limit_bytes: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._path = path
        self._limit_bytes = limit_bytes
        self._mend_at = 0.0
        self._file_stays = True
        self._lock = threading.RLock()  # the main thread and the receiver's both use the journal
        self._unsafe: set[tuple[str, str, int]] = set()
        """Kind, key and version of what neither the file nor the daemon has any more."""
        self._journal = self._open()

    @property
    def durable(self) -> bool:
        """Whether a record put here survives this process."""
        return self._journal.durable

    def __bool__(self) -> bool:
        return self._attempt(bool)

    def __len__(self) -> int:
        return self._attempt(len)

    def append(self, records: Sequence[Record]) -> None:
        """Keep the records. Above SPOOL_MAX the oldest ones are dropped, which is logged."""
        dropped = self._attempt(lambda journal: journal.append(records))
        with self._lock:
            self._replace_if_gone()  # before the daemon is told that the records are safe
        self._report(dropped)

    def oldest(self) -> list[Entry]:
        """Return the oldest batch."""
        return self._attempt(Journal.oldest)

    def forget(self, entries: Sequence[Entry]) -> None:
        """Delete records that the database has."""
        self._attempt(lambda journal: journal.forget(entries))

    def set_aside(self, entry: Entry, reason: str) -> None:
        """Take a record that the database refuses out of the queue, and log it."""
        dropped = self._attempt(lambda journal: journal.set_aside(entry, reason))
        if not self.durable:
            self._unsafe.add((entry.kind, entry.key, entry.version))
        emit("ledger.set_aside", kind=entry.kind, key=entry.key, reason=reason)
        self._report(dropped)

    def slot_records(self) -> list[Record]:
        """Return what waits to be written of slots."""
        return self._attempt(lambda journal: journal.records_of("slot"))

    def highest_version(self) -> int:
        return self._attempt(Journal.highest_version)

    def count_set_aside(self) -> int:
        return self._attempt(Journal.count_set_aside)

    def mend(self, *, at_once: bool = False) -> None:
        """Begin the file anew where it was taken away; while in memory, try the file again every second or so."""
        with self._lock:
            self._replace_if_gone()
            began = self._clock()
            if self._path is not None and not self.durable and (at_once or began >= self._mend_at):
                self._return_to_file(self._path)
                now = self._clock()
                self._mend_at = now + max(MEND_SECONDS, (now - began) / MEND_SHARE)

    def close(self) -> None:
        """Close the file. Records that nothing but this memory holds are lost now, which is logged."""
        self.mend(at_once=True)
        if not self.durable and (count := len(self._unsafe & self._journal.identities())):
            reason = "the journal's file is gone, and neither a new one nor the database could take them"
            emit("records.lost", records=count, reason=reason)
        self._journal.close()

    def _attempt(self, work: Callable[[Journal], _T]) -> _T:
        """Return what ``work`` returns for the journal, or, where its file fails, for its substitute."""
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
            return self._open_substitute(error)

    def _replace_if_gone(self) -> None:
        if not self._journal.is_in_place():
            self._change_over(TakenAwayError())

    def _change_over(self, error: sqlite3.Error) -> None:
        """Put a substitute in place of the journal that raised ``error``, with what can still be read of it."""
        old = self._journal
        records, refused = _read(old.all_records), _read(old.all_set_aside)
        old.close()
        self._journal = self._open_substitute(error)
        self._report(self._attempt(lambda journal: journal.append(records, refused)))
        if not self.durable and not self._file_stays:
            self._unsafe |= self._journal.identities()

    def _open_substitute(self, error: sqlite3.Error) -> Journal:
        """Return a new file where the old one is gone or broken, or a journal in memory where none can be written."""
        reason = clear_path(self._path, error) if self._path is not None else ""
        self._file_stays = not reason
        if self._path is not None and reason:
            try:
                journal = Journal(self._path, self._limit_bytes)
            except sqlite3.Error as next_error:
                if is_broken(next_error) and not is_broken(error):
                    return self._open_substitute(next_error)  # another file took the old one's place, and is no journal
            else:
                emit("journal.replaced", path=str(self._path), reason=reason)
                return journal
        emit("journal.unwritable", path=str(self._path), reason=str(error))
        self._mend_at = self._clock() + MEND_SECONDS
        return Journal(None, self._limit_bytes)

    def _return_to_file(self, path: Path) -> None:
        """Move all that memory holds to the file, if it can be opened and written now."""
        make_folder(path)
        records, refused = self._journal.all_records(), self._journal.all_set_aside()
        try:
            journal = Journal(path, self._limit_bytes)
        except sqlite3.Error:
            return
        try:
            dropped = journal.append(records, refused)
        except sqlite3.Error:
            journal.close()
            return
        self._journal.close()
        self._journal = journal
        self._unsafe.clear()
        emit("journal.restored", path=str(path), records=len(records))
        self._report(dropped)

    def _report(self, dropped: Dropped) -> None:
        if any(dropped):
            emit(
                "journal.trimmed",
                runs=dropped.runs,
                set_aside=dropped.set_aside,
                limit_bytes=self._limit_bytes,
            )


def _read(contents: Callable[[], list[_T]]) -> list[_T]:
    """Return what can still be read of a journal whose file fails."""
    try:
        return contents()
    except sqlite3.Error:
        return []

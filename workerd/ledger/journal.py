"""The journal: records that the database does not have yet, in an SQLite file that outlives ledger and daemon.

It has one row for each (kind, key): a newer version replaces an older one. Each commit is synced to disk
(``synchronous = FULL``), because a power cut may take the database's machine as well. Only the ledger waits for that.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from workerd.wire.messages import Record

from .entry import Entry, dump_row, load_row
from .journal_connection import open_journal, transaction
from .journal_file import identify
from .sanitize import clean_text
from .set_aside import RefusedRecord, SetAside

BATCH_RECORDS = 200
BATCH_BYTES = 1024 * 1024
HISTORY = "run"
"""The kind that grows without end. The others have one row for each slot, job or order."""

_PUT = """
INSERT INTO record (kind, key, version, row) VALUES (?, ?, ?, ?)
ON CONFLICT (kind, key) DO UPDATE SET version = excluded.version, row = excluded.row
WHERE excluded.version > record.version
"""
_DROP_OLDEST = """
DELETE FROM record WHERE position IN (SELECT position FROM record WHERE kind = ? ORDER BY position LIMIT ?)
"""


class Dropped(NamedTuple):
    """The numbers of runs, and of records that were set aside, that were dropped to stay below a limit."""

    runs: int = 0
    set_aside: int = 0


class Journal:
    """One SQLite file, or a database in memory where ``path`` is None. Raises sqlite3.Error.

    Only one thread may use it at a time.
    """

    def __init__(self, path: Path | None, limit_bytes: int) -> None:
        self.path = path
        self.limit_bytes = limit_bytes
        self._sqlite = open_journal(path)
        self._set_aside = SetAside(self._sqlite)
        self._page_bytes: int = self._number("PRAGMA page_size")
        self._files = identify(path) if path is not None else None

    @property
    def durable(self) -> bool:
        return self.path is not None

    def is_in_place(self) -> bool:
        """Return whether a process that opens the path finds this journal; True where that cannot be seen."""
        try:
            return self.path is None or identify(self.path) == self._files
        except OSError:
            return True

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        self._sqlite.close()

    def append(self, records: Iterable[Record], refused: Sequence[RefusedRecord] = ()) -> Dropped:
        """Store all records, and what another journal had set aside, or nothing; return what was dropped for it."""
        rows = [(record.kind, clean_text(record.key), record.version, dump_row(record.row)) for record in records]
        with transaction(self._sqlite):
            self._sqlite.executemany(_PUT, rows)
            self._set_aside.restore(refused)
            return self._trim()

    def _trim(self) -> Dropped:
        """Drop the oldest, a tenth at a time: first what was set aside, as the database can still take the rest."""
        runs = refused = 0
        while self.used_bytes > self.limit_bytes:
            if count := len(self._set_aside):
                refused += self._set_aside.drop_oldest(1 + count // 10)
                continue
            tenth = 1 + self._number("SELECT COUNT(*) FROM record WHERE kind = ?", HISTORY) // 10
            dropped = self._sqlite.execute(_DROP_OLDEST, (HISTORY, tenth)).rowcount
            if not dropped:
                break
            runs += dropped
        return Dropped(runs, refused)

    def oldest(self, most: int = BATCH_RECORDS) -> list[Entry]:
        """Return the oldest records, at most a batch; they stay until they are forgotten or set aside."""
        batch: list[Entry] = []
        size = 0
        for position, kind, key, version, row in self._select(most):
            size += len(row or "")
            if batch and size > BATCH_BYTES:
                break
            batch.append(Entry(position, kind, key, version, load_row(row)))
        return batch

    def all_records(self) -> list[Record]:
        """Return every record in its order, to be appended to another journal."""
        return [Record(0, kind, key, version, load_row(row)) for _, kind, key, version, row in self._select(-1)]

    def records_of(self, kind: str) -> list[Record]:
        """Return the records of one kind; runs may take all the room that the journal has."""
        rows = self._sqlite.execute("SELECT key, version, row FROM record WHERE kind = ? ORDER BY position", (kind,))
        return [Record(0, kind, key, version, load_row(row)) for key, version, row in rows]

    def identities(self) -> set[tuple[str, str, int]]:
        """Return kind, key and version of every record, of those that were set aside, too."""
        query = "SELECT kind, key, version FROM record UNION SELECT kind, key, version FROM set_aside"
        return set(self._sqlite.execute(query))

    def _select(self, most: int) -> sqlite3.Cursor:
        query = "SELECT position, kind, key, version, row FROM record ORDER BY position LIMIT ?"
        return self._sqlite.execute(query, (most,))

    def forget(self, entries: Sequence[Entry]) -> None:
        """Delete what the database now has; a newer version that came meanwhile stays."""
        with transaction(self._sqlite):
            self._delete(entries)
        if not self and self._number("PRAGMA freelist_count") > 256:
            self._sqlite.executescript("PRAGMA incremental_vacuum")  # execute() would free a single page

    def set_aside(self, entry: Entry, reason: str) -> Dropped:
        """Move a record that the database refuses out of the queue; return what was dropped for it."""
        with transaction(self._sqlite):
            row = dump_row(entry.row)
            dropped = self._set_aside.add(entry.kind, entry.key, entry.version, row, clean_text(reason))
            self._delete([entry])
        return Dropped(set_aside=dropped)

    def all_set_aside(self) -> list[RefusedRecord]:
        return self._set_aside.list()

    def count_set_aside(self) -> int:
        return len(self._set_aside)

    def _delete(self, entries: Sequence[Entry]) -> None:
        keys = [(entry.kind, entry.key, entry.version) for entry in entries]
        self._sqlite.executemany("DELETE FROM record WHERE kind = ? AND key = ? AND version <= ?", keys)

    def highest_version(self) -> int:
        """Return the largest version of all records, 0 for none."""
        return self._number("SELECT COALESCE(MAX(version), 0) FROM record")

    def __bool__(self) -> bool:
        return bool(self._number("SELECT EXISTS (SELECT 1 FROM record)"))

    def __len__(self) -> int:
        return self._number("SELECT COUNT(*) FROM record")

    @property
    def used_bytes(self) -> int:
        """The size of the file without its free pages."""
        pages = self._number("PRAGMA page_count") - self._number("PRAGMA freelist_count")
        return pages * self._page_bytes

    def _number(self, query: str, *parameters: Any) -> int:
        number: int = self._sqlite.execute(query, parameters).fetchone()[0]
        return number

"""The journal: records that the database does not have yet, in an SQLite file that outlives ledger and daemon.

It has one row for each (kind, key): a newer version replaces an older one. Each commit is synced to disk
(``synchronous = FULL``), because a power cut may take the database's machine as well. Only the ledger waits for that.
"""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from workerd.wire.messages import Record

from .journal_file import identify
from .sanitize import clean_text

BATCH_RECORDS = 200
BATCH_BYTES = 1024 * 1024
SET_ASIDE_KEPT = 1000
HISTORY = "run"
"""The kind that grows without end. The others have one row for each slot, job or order."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS record (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL, key TEXT NOT NULL, version INTEGER NOT NULL, row TEXT, UNIQUE (kind, key));
CREATE TABLE IF NOT EXISTS set_aside (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL, key TEXT NOT NULL, version INTEGER NOT NULL, row TEXT, reason TEXT NOT NULL,
    at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP);
"""
_PUT = """
INSERT INTO record (kind, key, version, row) VALUES (?, ?, ?, ?)
ON CONFLICT (kind, key) DO UPDATE SET version = excluded.version, row = excluded.row
WHERE excluded.version > record.version
"""
_DROP_OLDEST = """
DELETE FROM record WHERE position IN (SELECT position FROM record WHERE kind = ? ORDER BY position LIMIT ?)
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """A record in the journal; where ``row`` is None, the row of ``key`` is to be deleted."""

    position: int
    kind: str
    key: str
    version: int
    row: dict[str, Any] | None


class Journal:
    """One SQLite file, or a database in memory where ``path`` is None. Raises sqlite3.Error.

    Only one thread may use it at a time.
    """

    def __init__(self, path: Path | None, limit_bytes: int) -> None:
        self.path = path
        self.limit_bytes = limit_bytes
        self._sqlite = sqlite3.connect(path or ":memory:", timeout=5, isolation_level=None, check_same_thread=False)
        try:
            self._prepare()
        except sqlite3.Error:
            self._sqlite.close()
            raise

        self._files = identify(path) if path is not None else None

    def _prepare(self) -> None:
        self._sqlite.execute("PRAGMA auto_vacuum = INCREMENTAL")
        self._sqlite.execute("PRAGMA journal_mode = WAL")
        self._sqlite.execute("PRAGMA synchronous = FULL")
        self._sqlite.executescript(_SCHEMA)
        self._page_bytes: int = self._number("PRAGMA page_size")

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

    def append(self, records: Iterable[Record]) -> int:
        """Store all records or none; return how many of the oldest runs were dropped to stay below the limit."""
        rows = [(record.kind, clean_text(record.key), record.version, _dump(record.row)) for record in records]
        with self._transaction():
            self._sqlite.executemany(_PUT, rows)
            return self._trim()

    def _trim(self) -> int:
        dropped = 0
        while self.used_bytes > self.limit_bytes:
            tenth = 1 + self._number("SELECT COUNT(*) FROM record WHERE kind = ?", HISTORY) // 10
            gone = self._sqlite.execute(_DROP_OLDEST, (HISTORY, tenth)).rowcount
            if not gone:
                break
            dropped += gone
        return dropped

    def oldest(self, most: int = BATCH_RECORDS) -> list[Entry]:
        """Return the oldest records, at most a batch; they stay until they are forgotten or set aside."""
        batch: list[Entry] = []
        size = 0
        for position, kind, key, version, row in self._select(most):
            size += len(row or "")
            if batch and size > BATCH_BYTES:
                break
            batch.append(_entry(position, kind, key, version, row))
        return batch

    def all_records(self) -> list[Record]:
        """Return every record in its order, to be appended to another journal."""
        entries = (_entry(*row) for row in self._select(-1))
        return [Record(0, entry.kind, entry.key, entry.version, entry.row) for entry in entries]

    def _select(self, most: int) -> sqlite3.Cursor:
        query = "SELECT position, kind, key, version, row FROM record ORDER BY position LIMIT ?"
        return self._sqlite.execute(query, (most,))

    def forget(self, entries: Sequence[Entry]) -> None:
        """Delete what the database now has; a newer version that came meanwhile stays."""
        with self._transaction():
            self._delete(entries)
        if not self and self._number("PRAGMA freelist_count") > 256:
            self._sqlite.executescript("PRAGMA incremental_vacuum")  # execute() would free a single page

    def set_aside(self, entry: Entry, reason: str) -> None:
        """Move a record that the database refuses out of the queue; the last thousand are kept to be looked at."""
        with self._transaction():
            self._sqlite.execute(
                "INSERT INTO set_aside (kind, key, version, row, reason) VALUES (?, ?, ?, ?, ?)",
                (entry.kind, entry.key, entry.version, _dump(entry.row), clean_text(reason)),
            )
            self._sqlite.execute(
                "DELETE FROM set_aside WHERE position <= (SELECT MAX(position) FROM set_aside) - ?", (SET_ASIDE_KEPT,)
            )
            self._delete([entry])

    def _delete(self, entries: Sequence[Entry]) -> None:
        keys = [(entry.kind, entry.key, entry.version) for entry in entries]
        self._sqlite.executemany("DELETE FROM record WHERE kind = ? AND key = ? AND version <= ?", keys)

    def __bool__(self) -> bool:
        return bool(self._number("SELECT EXISTS (SELECT 1 FROM record)"))

    def __len__(self) -> int:
        return self._number("SELECT COUNT(*) FROM record")

    def list_set_aside(self) -> list[tuple[str, str, str]]:
        """Return (kind, key, reason) of what was set aside, oldest first."""
        return self._sqlite.execute("SELECT kind, key, reason FROM set_aside ORDER BY position").fetchall()

    @property
    def used_bytes(self) -> int:
        """The size of the file without its free pages."""
        pages = self._number("PRAGMA page_count") - self._number("PRAGMA freelist_count")
        return pages * self._page_bytes

    def _number(self, query: str, *parameters: Any) -> int:
        number: int = self._sqlite.execute(query, parameters).fetchone()[0]
        return number

    def _transaction(self) -> "_Transaction":
        return _Transaction(self._sqlite)


class _Transaction:
    """BEGIN IMMEDIATE … COMMIT, or ROLLBACK where the block raises."""

    def __init__(self, sqlite: sqlite3.Connection) -> None:
        self._sqlite = sqlite

    def __enter__(self) -> Self:
        # A DEFERRED transaction that reads before it writes fails when another process has written between the two.
        self._sqlite.execute("BEGIN IMMEDIATE")
        return self

    def __exit__(self, cls: type[BaseException] | None, *_: object) -> None:
        try:
            if cls is None:
                self._sqlite.execute("COMMIT")
        finally:
            if self._sqlite.in_transaction:
                self._sqlite.execute("ROLLBACK")


def _entry(position: int, kind: str, key: str, version: int, row: str | None) -> Entry:
    return Entry(position, kind, key, version, None if row is None else json.loads(row))


def _dump(row: dict[str, Any] | None) -> str | None:
    """Return ASCII JSON: it escapes NUL and lone surrogates, so SQLite takes what a database server would refuse."""
    return None if row is None else json.dumps(row, separators=(",", ":"))

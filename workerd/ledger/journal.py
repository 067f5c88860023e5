"""The journal: records that the database does not have yet, in an SQLite file that outlives ledger and daemon.

One row a (kind, key): a newer version replaces an older one. Each commit is synced to disk (``synchronous = FULL``): a
power cut seldom takes one machine alone, the database may have gone just before. Only the ledger waits for that disk.
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
"""The kind that grows without end: the others are a live picture, one row a slot or job."""

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
    """A record in the journal; ``row`` None deletes what ``key`` names."""

    position: int
    kind: str
    key: str
    version: int
    row: dict[str, Any] | None


class Journal:
    """One SQLite file, or a memory one while there is no disk to write to. Raises sqlite3.Error.

    One thread at a time: whoever uses it from several holds a lock.
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
        """Whether a record put here survives this process."""
        return self.path is not None

    def is_in_place(self) -> bool:
        """Return whether who opens the path finds what was put here; yes where that cannot be seen."""
        try:
            return self.path is None or identify(self.path) == self._files
        except OSError:
            return True

    def close(self) -> None:
        """Close the file; harmless a second time."""
        self._sqlite.close()

    def append(self, records: Iterable[Record]) -> int:
        """Store the records, all or none; return how many of the oldest runs had to go to stay below the limit."""
        rows = [(one.kind, clean_text(one.key), one.version, _dump(one.row)) for one in records]
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
        """Return the oldest records, as many as make a batch; they stay until forgotten or set aside."""
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
        """Drop what the database now has; a newer version that came meanwhile stays."""
        with self._transaction():
            self._delete(entries)
        if not self and self._number("PRAGMA freelist_count") > 256:
            self._sqlite.executescript("PRAGMA incremental_vacuum")  # execute() would free one page

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
        """How much of the file holds something."""
        pages = self._number("PRAGMA page_count") - self._number("PRAGMA freelist_count")
        return pages * self._page_bytes

    def _number(self, query: str, *parameters: Any) -> int:
        number: int = self._sqlite.execute(query, parameters).fetchone()[0]
        return number

    def _transaction(self) -> "_Transaction":
        return _Transaction(self._sqlite)


class _Transaction:
    """BEGIN IMMEDIATE … COMMIT: a DEFERRED one that reads before it writes fails when another process wrote between."""

    def __init__(self, sqlite: sqlite3.Connection) -> None:
        self._sqlite = sqlite

    def __enter__(self) -> Self:
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
    """Return ASCII JSON: NUL and lone surrogates are escaped, so that SQLite takes what a server would not."""
    return None if row is None else json.dumps(row, separators=(",", ":"))

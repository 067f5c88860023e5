"""The records that the database has refused. They wait in the journal's file until an operator has them tried again."""

import sqlite3
from collections.abc import Sequence
from typing import Any, NamedTuple

from .entry import load_row

KEPT = 1000
"""The newest are kept; a fault that strikes every record must not fill the disk."""

_OLDER = "DELETE FROM set_aside WHERE kind = ? AND key = ? AND version <= ?"
_ADD = "INSERT INTO set_aside (kind, key, version, row, reason) VALUES (?, ?, ?, ?, ?)"
_RESTORE = "INSERT INTO set_aside (kind, key, version, row, reason, at) VALUES (?, ?, ?, ?, ?, ?)"
_DROP_OLDEST = "DELETE FROM set_aside WHERE position IN (SELECT position FROM set_aside ORDER BY position LIMIT ?)"
_PUT_BACK = """
INSERT INTO record (kind, key, version, row)
SELECT kind, key, version, row FROM set_aside WHERE position = ?
ON CONFLICT (kind, key) DO UPDATE SET version = excluded.version, row = excluded.row
WHERE excluded.version > record.version
"""


class RefusedRecord(NamedTuple):
    """A record that the database has refused; ``at`` is a moment in UTC, as SQLite writes it."""

    id: int
    kind: str
    key: str
    version: int
    row: str | None
    reason: str
    at: str

    def to_dict(self) -> dict[str, Any]:
        return {**self._asdict(), "row": load_row(self.row)}


class SetAside:
    """The table of these records. Whoever calls what writes holds a transaction. Raises sqlite3.Error."""

    def __init__(self, sqlite: sqlite3.Connection) -> None:
        self._sqlite = sqlite

    def __len__(self) -> int:
        count: int = self._sqlite.execute("SELECT COUNT(*) FROM set_aside").fetchone()[0]
        return count

    def list(self) -> list[RefusedRecord]:
        """Return all of them, the oldest first."""
        query = "SELECT position, kind, key, version, row, reason, at FROM set_aside ORDER BY position"
        return [RefusedRecord(*row) for row in self._sqlite.execute(query)]

    def add(self, kind: str, key: str, version: int, row: str | None, reason: str) -> int:
        """Add a record, in place of older versions of it; return how many old records had to go for it."""
        self._sqlite.execute(_OLDER, (kind, key, version))
        self._sqlite.execute(_ADD, (kind, key, version, row, reason))
        return self.drop_oldest(max(0, len(self) - KEPT))

    def restore(self, records: Sequence[RefusedRecord]) -> None:
        """Add what another journal had set aside."""
        for record in records:
            self._sqlite.execute(_OLDER, (record.kind, record.key, record.version))
            self._sqlite.execute(_RESTORE, record[1:])

    def drop_oldest(self, count: int) -> int:
        return self._sqlite.execute(_DROP_OLDEST, (count,)).rowcount if count else 0

    def put_back(self, ids: Sequence[int]) -> None:
        """Put the records back into the journal's queue, each unless a newer version of it waits there."""
        for number in ids:
            self._sqlite.execute(_PUT_BACK, (number,))
        self.discard(ids)

    def discard(self, ids: Sequence[int]) -> None:
        for number in ids:
            self._sqlite.execute("DELETE FROM set_aside WHERE position = ?", (number,))

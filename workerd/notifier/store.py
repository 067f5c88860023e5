"""The notifier's journal as an SQLite file that never fails: while it cannot be written, memory takes its place."""

import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from workerd.forksafe.events import emit
from workerd.ledger.journal_connection import open_journal, transaction
from workerd.ledger.journal_file import TakenAwayError, clear_path, identify, make_folder

MEND_SECONDS = 1.0
SCHEMA = """
CREATE TABLE IF NOT EXISTS alert (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL, key TEXT NOT NULL, kind TEXT NOT NULL, critical INTEGER NOT NULL, holds INTEGER NOT NULL,
    raised_at REAL NOT NULL, over_at REAL, claim TEXT NOT NULL, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS alert_key ON alert (key);
CREATE INDEX IF NOT EXISTS alert_holds ON alert (holds);
CREATE INDEX IF NOT EXISTS alert_kind ON alert (kind);
CREATE INDEX IF NOT EXISTS alert_claim ON alert (claim);
CREATE TABLE IF NOT EXISTS delivery (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    alert INTEGER NOT NULL, way TEXT NOT NULL, told INTEGER NOT NULL DEFAULT 0, count INTEGER NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0, tried_at REAL, not_before REAL NOT NULL,
    waits INTEGER NOT NULL DEFAULT 0, held TEXT NOT NULL DEFAULT '{}');
CREATE INDEX IF NOT EXISTS delivery_alert ON delivery (alert);
CREATE INDEX IF NOT EXISTS delivery_way ON delivery (way, told);
CREATE TABLE IF NOT EXISTS leaving (way TEXT NOT NULL, key TEXT NOT NULL, at REAL NOT NULL);
CREATE INDEX IF NOT EXISTS leaving_way ON leaving (way, key);
CREATE TABLE IF NOT EXISTS held (way TEXT NOT NULL, kind TEXT NOT NULL, count INTEGER NOT NULL, UNIQUE (way, kind));
CREATE TABLE IF NOT EXISTS kept (life TEXT PRIMARY KEY, sequence INTEGER NOT NULL);
"""
"""``alert``: one row for each raising; ``delivery``: what a way has still to be told of it.

``leaving``: what has left in the last hour; ``held``: what was not sent, and is to be counted in the next message;
``kept``: the highest sequence of the daemon's that is here.
"""
_TABLES = ("alert", "delivery", "leaving", "held", "kept")
_T = TypeVar("_T")


def alerts_path(state_dir: Path, name: str) -> Path:
    return state_dir / f"{name}.alerts"


class AlertStore:
    """One file, or memory where ``path`` is None or cannot be written. One thread uses it."""

    def __init__(self, path: Path | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._mend_at = 0.0
        self._file: Path | None = path
        self._files: tuple[tuple[int, int] | None, ...] | None = None
        try:
            self._use(path)
        except sqlite3.Error as error:
            self._sqlite = self._substitute(error)

    @property
    def durable(self) -> bool:
        """Whether what was written survives this process."""
        return self._file is not None

    def do(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """Return what ``work`` returns, which is one transaction; it runs again where the file fails meanwhile."""
        while self._file is not None:
            try:
                self._raise_if_gone(self._file)
                with transaction(self._sqlite):
                    return work(self._sqlite)
            except sqlite3.Error as error:
                self._change_over(error)
        with transaction(self._sqlite):
            return work(self._sqlite)

    def _change_over(self, error: sqlite3.Error) -> None:
        """Go on in a new file, or in memory, with what can be read of the old one."""
        rows = _read(self._sqlite)
        self._sqlite.close()  # first: as it closes, SQLite deletes the log at the path, whosever it is then
        self._sqlite = self._substitute(error)
        try:
            with transaction(self._sqlite):
                _write(self._sqlite, rows)
        except sqlite3.Error as next_error:
            self._sqlite.close()
            self._sqlite = self._in_memory(next_error)
            _write(self._sqlite, rows)

    def mend(self) -> None:
        """Try the file again every second while memory stands in for it."""
        if self._path is None or self.durable or self._clock() < self._mend_at:
            return
        self._mend_at = self._clock() + MEND_SECONDS
        make_folder(self._path)
        old = self._sqlite
        try:
            new = open_journal(self._path, SCHEMA)
        except sqlite3.Error:
            return
        try:
            with transaction(new):
                _write(new, _read(old))
        except sqlite3.Error:
            new.close()
            return
        self._sqlite, self._file, self._files = new, self._path, identify(self._path)
        emit("journal.restored", path=str(self._path), records=_count(new))
        old.close()

    def close(self) -> None:
        """Close the file. What memory alone holds is lost, which is logged."""
        self._mend_at = 0.0
        self.mend()
        if self._path is not None and not self.durable and (count := _count(self._sqlite)):
            emit("alert.trimmed", count=count, reason="the journal of alerts could not be written until the end")
        self._sqlite.close()

    def _use(self, path: Path | None) -> None:
        self._sqlite = open_journal(path, SCHEMA)
        self._file = path
        self._files = identify(path) if path is not None else None

    def _raise_if_gone(self, path: Path) -> None:
        try:
            found = identify(path)
        except OSError:
            return
        if found != self._files:
            raise TakenAwayError

    def _substitute(self, error: sqlite3.Error) -> sqlite3.Connection:
        """Return a new file where the old one is gone or broken, or memory where none can be written."""
        path, self._file = self._path, None
        reason = clear_path(path, error) if path is not None else ""
        if path is not None and reason:
            try:
                new = open_journal(path, SCHEMA)
            except sqlite3.Error as next_error:
                error = next_error
            else:
                self._file, self._files = path, identify(path)
                emit("journal.replaced", path=str(path), reason=reason)
                return new
        return self._in_memory(error)

    def _in_memory(self, error: sqlite3.Error) -> sqlite3.Connection:
        self._file = None
        emit("journal.unwritable", path=str(self._path), reason=str(error))
        self._mend_at = self._clock() + MEND_SECONDS
        return open_journal(None, SCHEMA)


def _read(sqlite: sqlite3.Connection) -> dict[str, list[Any]]:
    """Return the rows of each table; of a file that fails, of those that can be read."""
    rows: dict[str, list[Any]] = {}
    for table in _TABLES:
        with suppress(sqlite3.Error):
            rows[table] = sqlite.execute(f"SELECT * FROM {table}").fetchall()  # noqa: S608 - a name of ours
    return rows


def _write(sqlite: sqlite3.Connection, rows: dict[str, list[Any]]) -> None:
    """Put the rows in place of what is there."""
    for table, found in rows.items():
        sqlite.execute(f"DELETE FROM {table}")  # noqa: S608 - a name of ours
        if found:
            marks = ", ".join("?" * len(found[0]))
            sqlite.executemany(f"INSERT INTO {table} VALUES ({marks})", found)  # noqa: S608


def _count(sqlite: sqlite3.Connection) -> int:
    count: int = sqlite.execute("SELECT COUNT(*) FROM delivery").fetchone()[0]
    return count

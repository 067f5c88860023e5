"""Opens the journal: for the ledger, which makes it, and for the command, also while the ledger writes to it."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

PATIENCE_S = 5.0
"""How long a transaction waits for that of another process; each takes milliseconds."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS record (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL, key TEXT NOT NULL, version INTEGER NOT NULL, row TEXT, UNIQUE (kind, key));
CREATE TABLE IF NOT EXISTS set_aside (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL, key TEXT NOT NULL, version INTEGER NOT NULL, row TEXT, reason TEXT NOT NULL,
    at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP);
"""


def journal_path(state_dir: Path, name: str) -> Path:
    return state_dir / f"{name}.journal"


def open_journal(path: Path | None) -> sqlite3.Connection:
    """Open the journal at ``path``, or one in memory, and make its tables. Raises sqlite3.Error."""
    sqlite = sqlite3.connect(path or ":memory:", timeout=PATIENCE_S, isolation_level=None, check_same_thread=False)
    try:
        sqlite.execute("PRAGMA auto_vacuum = INCREMENTAL")
        sqlite.execute("PRAGMA journal_mode = WAL")
        sqlite.execute("PRAGMA synchronous = FULL")
        sqlite.executescript(_SCHEMA)
    except sqlite3.Error:
        sqlite.close()
        raise
    return sqlite


@contextmanager
def existing_journal(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a journal that is there, whether a ledger writes to it or not. Raises FileNotFoundError, sqlite3.Error."""
    path.stat()  # sqlite3 has the same error for a file that is missing and for one that it may not open
    with closing(
        sqlite3.connect(f"{path.as_uri()}?mode=rw", timeout=PATIENCE_S, isolation_level=None, uri=True)
    ) as sqlite:
        sqlite.execute("PRAGMA synchronous = FULL")
        yield sqlite


@contextmanager
def transaction(sqlite: sqlite3.Connection) -> Iterator[None]:
    """Commit the block, or roll it back where it raises."""
    # A DEFERRED transaction that reads before it writes fails when another process has written between the two.
    sqlite.execute("BEGIN IMMEDIATE")
    try:
        yield
        sqlite.execute("COMMIT")
    finally:
        if sqlite.in_transaction:
            sqlite.execute("ROLLBACK")

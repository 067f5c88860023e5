"""Opens a journal: for ledger or notifier, which make it, and for the command, also while the ledger writes to it."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from workerd.wire.private_folder import PRIVATE_FILE

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


def open_journal(path: Path | None, schema: str = _SCHEMA) -> sqlite3.Connection:
    """Open the journal at ``path``, or one in memory, and make its tables. Raises sqlite3.Error."""
    if path is not None:
        _make_private(path)
    sqlite = sqlite3.connect(path or ":memory:", timeout=PATIENCE_S, isolation_level=None, check_same_thread=False)
    try:
        sqlite.execute("PRAGMA auto_vacuum = INCREMENTAL")
        sqlite.execute("PRAGMA journal_mode = WAL")
        sqlite.execute("PRAGMA synchronous = FULL")
        sqlite.executescript(schema)
    except sqlite3.Error:
        sqlite.close()
        raise
    return sqlite


def _make_private(path: Path) -> None:
    """Have no other user read the file; SQLite gives the files beside it the same mode. It must be no link."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        descriptor = os.open(path, flags, PRIVATE_FILE)
    except OSError as error:
        raise sqlite3.OperationalError(f"unable to open database file: {error.strerror}") from error
    try:
        if os.fstat(descriptor).st_uid == os.geteuid():
            os.fchmod(descriptor, PRIVATE_FILE)
    finally:
        os.close(descriptor)


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

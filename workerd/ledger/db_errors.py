"""Judges an error of the database for the ledger, by the codes of servers and drivers, not by their texts."""

import sqlite3
from enum import Enum

from django.db import DataError, IntegrityError, ProgrammingError


class DatabaseFault(Enum):
    """What an error of the database means for the ledger."""

    UNREACHABLE = "it does not answer"
    UNMIGRATED = "a table or column of workerd is not there"
    FORBIDDEN = "it answers, but forbids to read or write"
    BUSY = "another transaction holds a lock: try again soon"
    POISON = "it refuses this one record"
    FAULT = "it refuses the query, whatever the record"


_CODES: tuple[tuple[tuple[str, ...], frozenset[int], DatabaseFault], ...] = (
    (("42P01", "42703", "3F000"), frozenset({1054, 1146}), DatabaseFault.UNMIGRATED),
    (("40001", "40P01", "55P03"), frozenset({1205, 1213, 3572}), DatabaseFault.BUSY),
    (("42501", "25006", "28"), frozenset({1044, 1045, 1142, 1143, 1227, 1290, 1792, 1836}), DatabaseFault.FORBIDDEN),
    (("22", "23"), frozenset({1153, 1264, 1292, 1366, 1406, 3140}), DatabaseFault.POISON),
)
"""SQLSTATEs of PostgreSQL, whole or their beginning, and error numbers of MySQL and MariaDB.

The drivers of MySQL raise some of these under an exception class that means something else.
"""
_SQLITE_CODES = {
    sqlite3.SQLITE_BUSY: DatabaseFault.BUSY,
    sqlite3.SQLITE_LOCKED: DatabaseFault.BUSY,
    sqlite3.SQLITE_READONLY: DatabaseFault.FORBIDDEN,
    sqlite3.SQLITE_PERM: DatabaseFault.FORBIDDEN,
    sqlite3.SQLITE_TOOBIG: DatabaseFault.POISON,
    sqlite3.SQLITE_CONSTRAINT: DatabaseFault.POISON,
    sqlite3.SQLITE_MISMATCH: DatabaseFault.POISON,
}
_SQLITE_UNMIGRATED = ("no such table", "no such column", "has no column")
_POISONOUS = (DataError, IntegrityError, sqlite3.DataError, ValueError, TypeError, OverflowError)
_FAULTY = (ProgrammingError, sqlite3.ProgrammingError)


def classify(error: BaseException) -> DatabaseFault:
    """Return what ``error`` means: an exception of Django, with the driver's as its cause."""
    if isinstance(error.__cause__, sqlite3.Error):
        return _classify_sqlite(error.__cause__)
    state, number = _sqlstate(error), _number(error)
    for states, numbers, fault in _CODES:
        if state.startswith(states) or number in numbers:
            return fault
    return _classify_class(error)


def _classify_sqlite(error: sqlite3.Error) -> DatabaseFault:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    if code == sqlite3.SQLITE_ERROR and any(words in str(error) for words in _SQLITE_UNMIGRATED):
        return DatabaseFault.UNMIGRATED
    return _SQLITE_CODES.get(code) or _classify_class(error)


def _classify_class(error: BaseException) -> DatabaseFault:
    if isinstance(error, _POISONOUS):
        return DatabaseFault.POISON
    return DatabaseFault.FAULT if isinstance(error, _FAULTY) else DatabaseFault.UNREACHABLE


def _sqlstate(error: BaseException) -> str:
    """Return PostgreSQL's code of five characters, from psycopg 2 or 3, or ""."""
    cause = error.__cause__
    return str(getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None) or "")


def _number(error: BaseException) -> int:
    """Return MySQL's error number, or 0."""
    first = error.args[0] if error.args else 0
    return first if isinstance(first, int) else 0

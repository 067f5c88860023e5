"""Judges an error of a database, for jobs and for the ledger alike, by the codes of servers and drivers."""

import re
import sqlite3
from enum import Enum

from django.db import DatabaseError, DataError, Error, IntegrityError, InterfaceError, OperationalError


class DatabaseFault(Enum):
    """The kinds of fault that an error of the database can mean; a value ends a sentence that begins "the database"."""

    UNREACHABLE = "is unreachable"
    OFFLINE = "is starting, stopping or offline"
    LOGIN = "refuses the login"
    REFUSED = "refuses a session"
    MISSING = "does not exist"
    CROWDED = "has no free session"
    READ_ONLY = "is read-only"
    FULL = "has no room left"
    UNMIGRATED = "lacks a table or column of workerd"
    AHEAD = "is not as this version of workerd knows it"
    FORBIDDEN = "forbids to read or write"
    BUSY = "is locked by another transaction"
    POISON = "refuses this one record"
    FAULT = "refuses the query, whatever the record"


OUTAGES = frozenset({
    DatabaseFault.UNREACHABLE, DatabaseFault.OFFLINE, DatabaseFault.LOGIN, DatabaseFault.REFUSED,
    DatabaseFault.MISSING, DatabaseFault.CROWDED, DatabaseFault.READ_ONLY, DatabaseFault.FULL,
})  # fmt: skip
"""The faults that are the server's or its account's, whatever was asked."""

_CODES: tuple[tuple[tuple[str, ...], frozenset[int], DatabaseFault], ...] = (
    (("42P01", "42703", "3F000"), frozenset({1054, 1146}), DatabaseFault.UNMIGRATED),
    (("40001", "40P01", "55P03"), frozenset({1205, 1213, 3572}), DatabaseFault.BUSY),
    (("25006",), frozenset({1290, 1792, 1836, 3100, 3101}), DatabaseFault.READ_ONLY),
    (("53100", "53200", "58030"), frozenset({3, 1021, 1026, 1030, 1037, 1041, 1114}), DatabaseFault.FULL),
    (("53300",), frozenset({1040, 1135, 1203, 1226}), DatabaseFault.CROWDED),
    (("57P03",), frozenset({1053, 3032}), DatabaseFault.OFFLINE),
    (("3D000", "57P04"), frozenset({1049}), DatabaseFault.MISSING),
    (
        ("28",),
        frozenset({1044, 1045, 1129, 1130, 1251, 1698, 1820, 1862, 2049, 2054, 2058, 2059, 2061, 3118, 3159, 4151}),
        DatabaseFault.LOGIN,
    ),
    (("42501",), frozenset({1142, 1143, 1227}), DatabaseFault.FORBIDDEN),
    (("22", "23"), frozenset({1048, 1062, 1153, 1264, 1292, 1300, 1364, 1366, 1406, 3140, 3988}), DatabaseFault.POISON),
    (
        ("08", "57P", "57014", "25P03", "25P04"),
        frozenset({
            1077, 1152, 1158, 1159, 1160, 1161, 1184, 1317, 1927, 1969, 3024,
            2002, 2003, 2004, 2005, 2006, 2012, 2013, 2026, 2055, 3169, 4031,
        }),
        DatabaseFault.UNREACHABLE,
    ),
)  # fmt: skip
"""SQLSTATEs of PostgreSQL, whole or their beginning, and error numbers of MySQL and MariaDB.

The drivers of MySQL raise some of these under an exception class that means something else.
"""
_REFUSED = (
    (re.compile("too many (connections|clients)|connection slots are reserved"), DatabaseFault.CROWDED),
    (
        re.compile("the database system is|in recovery mode|not (currently )?accepting connections"),
        DatabaseFault.OFFLINE,
    ),
    (re.compile('database "[^"]*" does not exist'), DatabaseFault.MISSING),
    (
        re.compile(
            'authentication failed|no pg_hba.conf entry|pg_hba.conf rejects|role "[^"]*" does not exist'
            "|not permitted to (log in|connect)|permission denied for database|no password supplied"
        ),
        DatabaseFault.LOGIN,
    ),
    (re.compile("failed: (FATAL|ERROR):"), DatabaseFault.REFUSED),  # whatever else a server or a pooler answers
)
_ONLY_BY_AN_OPTION = 1290
"""MySQL's number for each option that forbids a statement: read-only is one of several, and names itself."""
_SQLITE_CODES = {
    sqlite3.SQLITE_BUSY: DatabaseFault.BUSY,
    sqlite3.SQLITE_LOCKED: DatabaseFault.BUSY,
    sqlite3.SQLITE_READONLY: DatabaseFault.READ_ONLY,
    sqlite3.SQLITE_FULL: DatabaseFault.FULL,
    sqlite3.SQLITE_IOERR: DatabaseFault.FULL,
    sqlite3.SQLITE_CANTOPEN: DatabaseFault.UNREACHABLE,
    sqlite3.SQLITE_PERM: DatabaseFault.FORBIDDEN,
    sqlite3.SQLITE_TOOBIG: DatabaseFault.POISON,
    sqlite3.SQLITE_CONSTRAINT: DatabaseFault.POISON,
    sqlite3.SQLITE_MISMATCH: DatabaseFault.POISON,
}
_SQLITE_UNMIGRATED = ("no such table", "no such column", "has no column")
_POISONOUS = (DataError, IntegrityError, sqlite3.DataError, ValueError, TypeError, OverflowError)
_LOST = (OperationalError, InterfaceError)


def classify(error: BaseException) -> DatabaseFault:
    """Return what ``error`` means: an exception of Django, with the driver's as its cause, or the driver's own."""
    for sqlite_error in (error, error.__cause__):
        if isinstance(sqlite_error, sqlite3.Error):
            return _classify_sqlite(sqlite_error)
    state, number = sqlstate_of(error), number_of(error)
    if number == _ONLY_BY_AN_OPTION and "read" not in str(error):
        return DatabaseFault.FAULT
    for states, numbers, fault in _CODES:
        if state.startswith(states) or number in numbers:
            return fault
    return _classify_class(error, has_code=bool(state or number))


def _classify_sqlite(error: sqlite3.Error) -> DatabaseFault:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    if code == sqlite3.SQLITE_ERROR and any(words in str(error) for words in _SQLITE_UNMIGRATED):
        return DatabaseFault.UNMIGRATED
    return _SQLITE_CODES.get(code) or _classify_class(error, has_code=True)


def _classify_class(error: BaseException, *, has_code: bool) -> DatabaseFault:
    """Judge an error whose code says nothing: one that has no code comes from the driver, which has no session."""
    if isinstance(error, _POISONOUS):
        return DatabaseFault.POISON
    if not has_code and (fault := _refused_connect(str(error))):
        return fault
    # psycopg2 raises a bare DatabaseError for some lost sessions; a socket's error is none of the database
    if not has_code and (isinstance(error, _LOST) or type(error) is DatabaseError or not isinstance(error, Error)):
        return DatabaseFault.UNREACHABLE
    return DatabaseFault.FAULT


def _refused_connect(text: str) -> DatabaseFault | None:
    """Return why PostgreSQL refuses a session. libpq passes no code on then, and the server may speak any language."""
    return next((fault for pattern, fault in _REFUSED if pattern.search(text)), None)


def sqlstate_of(error: BaseException) -> str:
    """Return PostgreSQL's code of five characters, from psycopg 2 or 3, or ""."""
    for source in (error.__cause__, error):
        if state := getattr(source, "sqlstate", None) or getattr(source, "pgcode", None):
            return str(state)
    return ""


def number_of(error: BaseException) -> int:
    """Return MySQL's error number, or 0."""
    first = error.args[0] if error.args else 0
    return first if isinstance(first, int) and not isinstance(error, OSError) else 0

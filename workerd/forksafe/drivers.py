"""Asks a driver for its errors, and its connection, without a query, for descriptor, session and transaction.

Tested with psycopg2, psycopg 3, mysqlclient, PyMySQL and sqlite3. Another driver is asked in the same ways, and the
answer is None where it has none of them.
"""

from typing import Any

_IDLE, _UNKNOWN = 0, 4
"""libpq's PQtransactionStatus: between them are ACTIVE, INTRANS and INERROR."""
_SERVER_STATUS_IN_TRANS = 1
"""A flag of the MySQL protocol: the server says with each answer whether a transaction is open."""


def error_class_of(wrapper: Any) -> type[Exception]:
    """Return the driver's own class of errors: not all of its calls pass through Django, which translates them."""
    cls: type[Exception] = wrapper.Database.Error
    return cls


def descriptor_of(connection: Any) -> int | None:
    """Return the descriptor of the connection's socket; None where it is closed, SQLite's, or unknown."""
    # PyMySQL has no fileno() but its socket has.
    source = connection if hasattr(connection, "fileno") else getattr(connection, "_sock", None)
    try:
        number = source.fileno()  # type: ignore[union-attr]
    except Exception:  # noqa: BLE001 - each driver has its own error for "closed", and none may stop a fork hook
        return None
    return number if isinstance(number, int) and number >= 0 else None


def session_id_of(connection: Any) -> int | None:
    """Return the server's number of the session: ``pg_stat_activity.pid`` or ``processlist.id``; None if unknown."""
    try:
        number = getattr(getattr(connection, "info", None), "backend_pid", None)
        if number is None:
            number = connection.thread_id()
    except Exception:  # noqa: BLE001 - a driver without a session number, or a session already gone
        return None
    return number if isinstance(number, int) else None


def in_transaction(connection: Any) -> bool | None:
    """Return whether the session is inside a transaction or a query; None where the driver cannot tell."""
    try:
        status = getattr(getattr(connection, "info", None), "transaction_status", None)
        if status is not None:
            return _IDLE < int(status) < _UNKNOWN
        if (flags := getattr(connection, "server_status", None)) is not None:
            return bool(flags & _SERVER_STATUS_IN_TRANS)
        if (inside := getattr(connection, "in_transaction", None)) is not None:
            return bool(inside)
    except Exception:  # noqa: BLE001 - a closed connection has no transaction, whatever its driver raises
        return False
    return None

"""What is asked of a driver's own connection object, without a query: its descriptor, its session, its transaction.

Tried with psycopg2, psycopg 3, mysqlclient, PyMySQL and sqlite3; any other is asked the same way, or answers None.
"""

from typing import Any

_IDLE = 0
_SERVER_STATUS_IN_TRANS = 1


def descriptor_of(connection: Any) -> int | None:
    """Return the descriptor of the connection's socket, or None where it has none (closed, SQLite, unknown)."""
    source = connection if hasattr(connection, "fileno") else getattr(connection, "_sock", None)
    try:
        number = source.fileno()  # type: ignore[union-attr]
    except Exception:  # noqa: BLE001 - each driver has its own error for "closed", and none may stop a fork hook
        return None
    return number if isinstance(number, int) and number >= 0 else None


def session_id_of(connection: Any) -> int | None:
    """Return the server's number for the session: joins ``pg_stat_activity.pid`` or ``processlist.id``."""
    try:
        number = getattr(getattr(connection, "info", None), "backend_pid", None)
        if number is None:
            number = connection.thread_id()
    except Exception:  # noqa: BLE001 - a driver without a session number, or a session already gone
        return None
    return number if isinstance(number, int) else None


def in_transaction(connection: Any) -> bool | None:
    """Return whether the session is inside a transaction or a command, or None where the driver cannot tell."""
    try:
        status = getattr(getattr(connection, "info", None), "transaction_status", None)
        if status is not None:
            return _IDLE < int(status) <= 3
        if (flags := getattr(connection, "server_status", None)) is not None:
            return bool(flags & _SERVER_STATUS_IN_TRANS)
        if (inside := getattr(connection, "in_transaction", None)) is not None:
            return bool(inside)
    except Exception:  # noqa: BLE001 - a closed connection has no transaction, whatever its driver raises
        return False
    return None

"""The keeper's own connection: short transactions that give up long before a seat is lost, and rely on no session.

A pooler may lend each transaction another session, so all that a transaction needs it says itself.
"""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from workerd.forksafe.closing import close_wrapper
from workerd.forksafe.drivers import descriptor_of
from workerd.ledger.connection import prepare_connection

LONGEST_S = 5.0
CUT_AFTER_S = 0.5
"""The seconds after which this side gives up a statement that the server should have: the server may stand still."""


def patience(takeover_after: float) -> float:
    """Return how long a statement, a lock or a connect may take: short enough that one lost answer ends no process."""
    return min(LONGEST_S, takeover_after / 5)


class Session:
    """A connection of the thread that makes it. ``cut`` alone may be called from another thread."""

    def __init__(self, alias: str, patience_s: float) -> None:
        self._patience_s = patience_s
        self._connection = _prepare(alias, patience_s)
        self._lock = threading.Lock()
        self._raw: Any = None
        self._line: socket.socket | None = None

    @property
    def connection(self) -> BaseDatabaseWrapper:
        return self._connection

    @property
    def alias(self) -> str:
        return self._connection.alias

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit the block as one transaction, READ COMMITTED whatever the project's is. Raises database errors.

        Unless it returns, nothing is known of what the database has: the answer to the COMMIT may be what was lost.
        """
        self._connection.queries_log.clear()
        self._connect()
        watch = threading.Timer(self._patience_s + CUT_AFTER_S, self.cut)
        watch.daemon = True
        watch.start()
        try:
            with transaction.atomic(using=self.alias):
                self._begin()
                yield
        finally:
            watch.cancel()

    def cut(self) -> None:
        """End the connection from outside: a statement that waits for an answer gets an error."""
        with self._lock, suppress(OSError):
            if self._line is not None:
                self._line.shutdown(socket.SHUT_RDWR)

    def forget(self) -> None:
        """Leave the connection to whoever closes it."""
        with self._lock:
            self._forget_line()

    def close(self) -> None:
        """Close the connection; the next transaction opens another one."""
        self.forget()
        if self._connection.connection is not None:
            close_wrapper(self._connection, "unusable")

    def _connect(self) -> None:
        self._connection.ensure_connection()
        raw = self._connection.connection
        if raw is self._raw:
            return
        with self._lock:
            self._forget_line()
            self._raw, descriptor = raw, descriptor_of(raw)
            if descriptor is not None:
                self._line = socket.socket(fileno=os.dup(descriptor))
        if self._connection.vendor == "mysql":
            # a transaction that the net has cut in two holds its locks until the server takes its session for idle
            with self._connection.cursor() as cursor:
                cursor.execute(f"SET SESSION wait_timeout = {max(10, int(self._patience_s * 2))}")

    def _forget_line(self) -> None:
        self._raw = None
        line, self._line = self._line, None
        if line is not None:
            with suppress(OSError):
                line.close()

    def _begin(self) -> None:
        if self._connection.vendor == "postgresql":
            limit = f"'{self._patience_s * 1000:.0f}ms'"
            with self._connection.cursor() as cursor:
                cursor.execute(
                    f"SET TRANSACTION ISOLATION LEVEL READ COMMITTED; SET LOCAL lock_timeout = {limit}; "
                    f"SET LOCAL statement_timeout = {limit}; SET LOCAL idle_in_transaction_session_timeout = {limit}"
                )


def _prepare(alias: str, patience_s: float) -> BaseDatabaseWrapper:
    seconds = max(1, int(patience_s))
    forced: dict[str, dict[str, Any]] = {
        "postgresql": {"connect_timeout": max(2, seconds), "tcp_user_timeout": int(patience_s * 1000)},
        "mysql": {
            "connect_timeout": seconds,
            "read_timeout": seconds,
            "write_timeout": seconds,
            "isolation_level": "read committed",
        },
        "sqlite": {"timeout": patience_s, "transaction_mode": "IMMEDIATE"},
    }
    return prepare_connection(alias, None, forced)

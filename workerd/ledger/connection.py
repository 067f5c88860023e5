"""The ledger's one connection: autocommit, no pool, kept open, with time-outs shorter than the daemon's patience.

The time-outs are the server's as well: a session that its client gave up would wait on, and the next one beside it.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from types import MappingProxyType
from typing import Any

from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from workerd.forksafe.drivers import session_id_of

_SQLITE_DEFAULTS = {"transaction_mode": "IMMEDIATE", "timeout": 20}
"""A DEFERRED transaction that reads before it writes fails at once when another process has written between."""
_POSTGRESQL_DEFAULTS = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 2,
    "tcp_user_timeout": 15_000,
}
_MYSQL_DEFAULTS = {"connect_timeout": 5, "read_timeout": 20, "write_timeout": 20}
"""Shorter than the 30 s after which the daemon takes a silent ledger for hung."""

LOCK_WAIT_S = 10
STATEMENT_S = 20

_DEFAULTS: dict[str, dict[str, Any]] = {
    "sqlite": _SQLITE_DEFAULTS,
    "postgresql": _POSTGRESQL_DEFAULTS,
    "mysql": _MYSQL_DEFAULTS,
}


def prepare_connection(
    alias: str, conn_max_age: float | None, forced: Mapping[str, Mapping[str, Any]] = MappingProxyType({})
) -> BaseDatabaseWrapper:
    """Return the calling thread's wrapper of ``alias``, with settings for the ledger where the project sets none.

    ``forced`` has, by the database's vendor, the options that stand whatever the project's are. They change in this
    process alone.
    """
    connection = connections[alias]
    connection.close()
    values: dict[str, Any] = deepcopy(connection.settings_dict)
    options = values["OPTIONS"]
    options.pop("pool", None)
    values["OPTIONS"] = {
        **_DEFAULTS.get(connection.vendor, {}),
        **options,
        **forced.get(connection.vendor, {}),
    }
    values.update(AUTOCOMMIT=True, CONN_MAX_AGE=conn_max_age)
    connection.settings_dict = values
    connection_created.connect(_limit_waits, weak=False, dispatch_uid="workerd.ledger")
    return connection


def _limit_waits(connection: BaseDatabaseWrapper, **_: Any) -> None:
    """Have the server itself give up a statement of this session that waits too long."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql" and is_own_session(connection):
            cursor.execute(f"SET lock_timeout = '{LOCK_WAIT_S}s'; SET statement_timeout = '{STATEMENT_S}s'")
        elif connection.vendor == "mysql":
            patience = connection.settings_dict["OPTIONS"].get("read_timeout") or STATEMENT_S
            seconds = max(1, min(LOCK_WAIT_S, int(patience) // 2))  # before the client gives up
            cursor.execute(f"SET SESSION lock_wait_timeout = {seconds}, innodb_lock_wait_timeout = {seconds}")


def is_own_session(connection: BaseDatabaseWrapper) -> bool:
    """Return whether PostgreSQL's session is this connection's alone: PgBouncer lends one, and passes settings on."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return bool(cursor.fetchone()[0] == session_id_of(connection.connection))


def refresh(connection: BaseDatabaseWrapper) -> None:
    """Prepare the connection for a poll: close one that is too old, and forget the queries that DEBUG collects."""
    connection.close_if_unusable_or_obsolete()
    connection.queries_log.clear()
    if connection.vendor == "sqlite":
        connection.ensure_connection()
        connection.connection.text_factory = _decode  # a row that is not UTF-8 must not hide the others


@contextmanager
def write_transaction(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Commit the block as one transaction, which gives up when it waits too long for a lock."""
    with transaction.atomic(using=connection.alias):
        if connection.vendor == "postgresql":  # MySQL and SQLite give up by themselves
            # LOCAL, because PgBouncer would hand a setting of the session on to another client
            with connection.cursor() as cursor:
                cursor.execute(f"SET LOCAL lock_timeout = '{LOCK_WAIT_S}s'")
        yield


def _decode(text: bytes) -> str:
    return text.decode("utf-8", "replace")

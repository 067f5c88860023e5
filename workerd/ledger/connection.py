"""The ledger's one connection: autocommit, no pool, kept open, with time-outs shorter than the daemon's patience."""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

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

_DEFAULTS: dict[str, dict[str, Any]] = {
    "sqlite": _SQLITE_DEFAULTS,
    "postgresql": _POSTGRESQL_DEFAULTS,
    "mysql": _MYSQL_DEFAULTS,
}


def prepare_connection(alias: str, conn_max_age: float | None) -> BaseDatabaseWrapper:
    """Return the wrapper of ``alias``, with settings for the ledger where the project sets none itself.

    They change in this process alone.
    """
    connection = connections[alias]
    connection.close()
    values: dict[str, Any] = deepcopy(connection.settings_dict)
    options = values["OPTIONS"]
    options.pop("pool", None)
    values["OPTIONS"] = {**_DEFAULTS.get(connection.vendor, {}), **options}
    values.update(AUTOCOMMIT=True, CONN_MAX_AGE=conn_max_age)
    connection.settings_dict = values
    return connection


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
                cursor.execute("SET LOCAL lock_timeout = '10s'")
        yield


def _decode(text: bytes) -> str:
    return text.decode("utf-8", "replace")

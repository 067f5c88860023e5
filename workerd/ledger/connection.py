"""The ledger's one connection: autocommit, no pool, kept open, and never silent for longer than the daemon waits."""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

_SQLITE_DEFAULTS = {"transaction_mode": "IMMEDIATE", "timeout": 20}
"""A DEFERRED transaction that reads before it writes fails at once where another process wrote between."""
_POSTGRESQL_DEFAULTS = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 2,
    "tcp_user_timeout": 15_000,
}
_MYSQL_DEFAULTS = {"connect_timeout": 5, "read_timeout": 20, "write_timeout": 20}
"""Below the 30 s after which the daemon takes a silent ledger for hung."""

_DEFAULTS: dict[str, dict[str, Any]] = {
    "sqlite": _SQLITE_DEFAULTS,
    "postgresql": _POSTGRESQL_DEFAULTS,
    "mysql": _MYSQL_DEFAULTS,
}


def prepare_connection(alias: str, conn_max_age: float | None) -> BaseDatabaseWrapper:
    """Return the alias's wrapper, its settings adapted in this process alone; what the project sets itself stays."""
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
    """Before a poll: close a connection that is too old, forget what DEBUG collects, read text leniently."""
    connection.close_if_unusable_or_obsolete()
    connection.queries_log.clear()
    if connection.vendor == "sqlite":
        connection.ensure_connection()
        connection.connection.text_factory = _decode  # one row of bytes that are no UTF-8 must not hide all others


@contextmanager
def write_transaction(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Commit what is inside as one; on PostgreSQL a lock that never comes ends it, which MySQL's driver sees to itself.

    SET LOCAL, for a session's own setting would stay behind in PgBouncer.
    """
    with transaction.atomic(using=connection.alias):
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL lock_timeout = '10s'")
        yield


def _decode(text: bytes) -> str:
    return text.decode("utf-8", "replace")

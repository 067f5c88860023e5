"""Asks a database server, on a session of its own and within seconds, how it is."""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

from django.db import Error
from django.db.backends.base.base import BaseDatabaseWrapper

from .drivers import error_class_of

PATIENCE_S = 2
_TIMEOUTS = {
    "postgresql": ("connect_timeout",),
    "mysql": ("connect_timeout", "read_timeout", "write_timeout"),  # PyMySQL's first one ends with the TCP handshake
}
_READ_ONLY = {
    # a value that the session or the transaction has set is not the server's
    "postgresql": "SELECT pg_is_in_recovery() OR EXISTS (SELECT 1 FROM pg_settings"
    " WHERE name = 'default_transaction_read_only' AND reset_val = 'on' AND source <> 'client')",
    "mysql": "SELECT @@global.read_only OR @@global.{read_only_transactions}",
    "sqlite": "BEGIN IMMEDIATE",
}


def why_no_session(wrapper: BaseDatabaseWrapper) -> BaseException | None:
    """Return the error with which the server of ``wrapper`` refuses a new session; None where it gives one."""
    try:
        with new_session(wrapper) as cursor:
            cursor.execute("SELECT 1")
            cursor.fetchone()
    except (error_class_of(wrapper), Error, OSError) as error:
        return error
    return None


def is_read_only(wrapper: BaseDatabaseWrapper) -> bool:
    """Return whether the server of ``wrapper`` takes no writes of anybody; False where it does not tell."""
    try:
        with new_session(wrapper) as cursor:
            if wrapper.vendor == "sqlite":
                return _refuses(wrapper, cursor)
            cursor.execute(_read_only_query(wrapper))
            return bool(cursor.fetchone()[0])
    except (error_class_of(wrapper), Error, OSError):
        return False


def _refuses(wrapper: BaseDatabaseWrapper, cursor: Any) -> bool:
    try:
        cursor.execute(_READ_ONLY["sqlite"])
    except error_class_of(wrapper) as error:
        return "readonly" in str(error)
    cursor.execute("ROLLBACK")
    return False


def _read_only_query(wrapper: BaseDatabaseWrapper) -> str:
    is_mariadb = bool(getattr(wrapper, "mysql_is_mariadb", False)) if wrapper.vendor == "mysql" else False
    return _READ_ONLY[wrapper.vendor].format(
        read_only_transactions="tx_read_only" if is_mariadb else "transaction_read_only"
    )


@contextmanager
def new_session(wrapper: BaseDatabaseWrapper) -> Iterator[Any]:
    """Yield a cursor of a new session of the driver's: past the pool, which tries for long, and past our events."""
    probe = wrapper.copy()
    settings = deepcopy(wrapper.settings_dict)
    settings["OPTIONS"].pop("pool", None)
    for name in _TIMEOUTS.get(wrapper.vendor, ()):
        settings["OPTIONS"].setdefault(name, PATIENCE_S)
    probe.settings_dict = settings
    raw = probe.get_new_connection(probe.get_connection_params())
    try:
        cursor = raw.cursor()
        try:
            yield cursor
        finally:
            cursor.close()
    finally:
        raw.close()

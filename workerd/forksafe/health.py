"""Drops connections on which the server no longer answers, so that a loop that swallows errors recovers."""

from collections.abc import Callable
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from .connection_events import ClosingFor

_is_on = False


def heal_connections() -> None:
    """Test, from now on, each connection that met an error before its next use, in this process and its forks.

    If the server does not answer on it, the connection is closed, and the query opens another. Connections inside a
    transaction are left alone.
    """
    global _is_on
    _is_on = True


def check_before_use(original: Callable[..., Any]) -> Callable[..., Any]:
    """Return the hook for ``BaseDatabaseWrapper.ensure_connection``, which every query calls."""

    def ensure_connection(self: BaseDatabaseWrapper) -> None:
        if _is_on and self.errors_occurred and self.connection is not None and not is_in_transaction(self):
            drop_if_unusable(self, "unusable")
            self.errors_occurred = False
        original(self)

    return ensure_connection


def drop_if_unusable(wrapper: BaseDatabaseWrapper, reason: str) -> bool:
    """Close the wrapper's connection if the server does not answer on it; return whether it was closed."""
    if wrapper.is_usable():
        return False
    pool = getattr(wrapper.connection, "_pool", None)
    with ClosingFor(wrapper, reason):
        wrapper.close()
    if pool is not None and hasattr(pool, "check"):  # the server has probably ended the pool's other sessions, too
        pool.check()
    return True


def is_in_transaction(wrapper: BaseDatabaseWrapper) -> bool:
    """Return whether, as far as Django knows, a close would lose uncommitted work."""
    return wrapper.in_atomic_block or wrapper.autocommit != wrapper.settings_dict["AUTOCOMMIT"]

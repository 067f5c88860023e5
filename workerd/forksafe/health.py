"""Drops connections that have met an error, so that a loop that swallows errors recovers."""

import os
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from django.db import Error
from django.db.backends.base.base import BaseDatabaseWrapper

from .connection_events import ClosingFor
from .discard import discard_unseen
from .drivers import error_class_of
from .sessions import SESSION

_is_on = False


def heal_connections() -> None:
    """Close, from now on, each connection that met an error before its next use, in this process and its forks.

    The query then opens another. A test would not do: a server that has become read-only answers it. Connections inside
    a transaction are left alone.
    """
    global _is_on
    _is_on = True


def check_before_use(original: Callable[..., Any]) -> Callable[..., Any]:
    """Return the hook for ``BaseDatabaseWrapper.ensure_connection``, which every query calls."""

    def ensure_connection(self: BaseDatabaseWrapper) -> None:
        if self.connection is not None:
            session = self.__dict__.get(SESSION)
            if session is not None and session.pid != os.getpid():
                discard_unseen()
            else:
                drop_if_met_error(self)
        original(self)

    return ensure_connection


def drop_if_met_error(wrapper: BaseDatabaseWrapper) -> None:
    """Close a connection that met an error, where the process heals its connections."""
    if _is_on and wrapper.connection is not None and wrapper.errors_occurred and not is_in_transaction(wrapper):
        drop(wrapper, "unusable")


def drop_if_unusable(wrapper: BaseDatabaseWrapper, reason: str) -> bool:
    """Close the wrapper's connection if the server does not answer on it; return whether it was closed."""
    if wrapper.is_usable():
        return False
    drop(wrapper, reason)
    return True


def drop(wrapper: BaseDatabaseWrapper, reason: str) -> None:
    """Close the wrapper's connection, and have its pool look at the others: the server has probably ended them, too."""
    pool = getattr(wrapper.connection, "_pool", None)
    with ClosingFor(wrapper, reason), suppress(error_class_of(wrapper), Error):  # somebody has closed it already
        wrapper.close()
    wrapper.errors_occurred = False
    if pool is not None and hasattr(pool, "check"):
        pool.check()


def is_in_transaction(wrapper: BaseDatabaseWrapper) -> bool:
    """Return whether, as far as Django knows, a close would lose uncommitted work."""
    return wrapper.in_atomic_block or wrapper.autocommit != wrapper.settings_dict["AUTOCOMMIT"]

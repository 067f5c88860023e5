"""Connections over a child's life: kept from turn to turn, renewed when they are old or dead, closed at its end."""

import time

from django.db import connections, reset_queries
from django.db.backends.base.base import BaseDatabaseWrapper

from workerd.conf import get_settings

from . import sessions
from .closing import close_wrapper
from .healing import drop_if_unusable, heal_connections, is_in_transaction
from .lifecycle import ClosingFor, report_closed
from .pools import close_pools
from .threads import belongs_to_other

IDLE_S = 1.0
"""A connection not looked at for this long is tried before it is used again."""


def refresh_connections() -> None:
    """At the start and the end of a turn: drop this thread's connections that are dead or too old, forget query logs.

    ``WORKERD["CONN_MAX_AGE"]`` decides about age here, and not Django's setting, which is made for requests.
    """
    heal_connections()
    reset_queries()
    max_age = get_settings().conn_max_age
    for wrapper in connections.all(initialized_only=True):
        if wrapper.connection is not None and not wrapper.in_atomic_block:
            _refresh(wrapper, max_age)


def close_connections() -> None:
    """Close this thread's connections and every pool, at the end of a process; those of other threads end with it.

    What another thread may be using must not be closed under it, so of that the end is only said.
    """
    close_own_connections()
    close_pools()
    for wrapper in sessions.wrappers():
        if wrapper.connection is not None and belongs_to_other(wrapper):
            report_closed(wrapper, "exit")


def close_own_connections() -> None:
    """Close this thread's connections, before the thread or the process ends."""
    for wrapper in connections.all(initialized_only=True):
        if wrapper.connection is not None and not sessions.is_in_memory(wrapper):
            close_wrapper(wrapper, "exit")


def _refresh(wrapper: BaseDatabaseWrapper, max_age: float | None) -> None:
    session = sessions.session_of(wrapper) or sessions.add(wrapper)
    if max_age is not None and session.age_s >= max_age:
        with ClosingFor(wrapper, "max_age"):
            wrapper.close()
        return
    wrapper.close_at = None
    wrapper.close_if_unusable_or_obsolete()
    now = time.monotonic()
    if wrapper.connection is not None and not is_in_transaction(wrapper) and now - session.checked_at > IDLE_S:
        drop_if_unusable(wrapper, "health_check_failed")
    session.checked_at = now

"""Connections of a process that lives for weeks: kept while they work, renewed when old or dead, closed at its end."""

import time

from django.db import Error, connections, reset_queries
from django.db.backends.base.base import BaseDatabaseWrapper

from workerd.conf import get_settings

from . import sessions
from .closing import close_wrapper
from .connection_events import ClosingFor, identity, report_closed
from .drivers import error_class_of
from .events import emit
from .health import drop, drop_if_unusable, heal_connections, is_in_transaction
from .pools import close_pools
from .session_state import state_of, watch_statements
from .threads import belongs_to_other

IDLE_S = 1.0
"""A connection that was idle for longer is tried before it is used again."""


def refresh_connections() -> None:
    """Close this thread's connections that are dead or too old, and forget its query log.

    Call it at the start and the end of each turn of a loop; a connection inside ``atomic()`` is left alone, and so is a
    session that holds what a new one would not have, as far as that can be known (see ``keep_session``). The oldest age
    is ``WORKERD["CONN_MAX_AGE"]`` in seconds (None: no limit), not Django's CONN_MAX_AGE, which is for requests. Also
    turns on ``heal_connections``. Never raises an error of a database: in an outage the next query does.
    """
    _refresh_all(get_settings().conn_max_age)


def drop_dead_connections() -> None:
    """Do the same in the middle of a turn, where a result may still be read: no connection is renewed for its age."""
    _refresh_all(max_age=None)


def _refresh_all(max_age: float | None) -> None:
    heal_connections()
    watch_statements()
    reset_queries()
    for wrapper in connections.all(initialized_only=True):
        if wrapper.connection is not None and not wrapper.in_atomic_block:
            try:
                _refresh(wrapper, max_age)
            except (error_class_of(wrapper), Error, OSError):  # in an outage the job's next query raises, not this
                wrapper.errors_occurred = True


def close_connections() -> None:
    """Close this thread's connections and every pool: the last step of a process."""
    close_own_connections()
    close_pools()
    for wrapper in sessions.wrappers():
        if wrapper.connection is not None and belongs_to_other(wrapper):
            # Another thread may be using it, so it is not closed here. It ends with the process, and the event says so.
            report_closed(wrapper, "exit")


def close_own_connections() -> None:
    """Close this thread's connections: the last step of a thread."""
    for wrapper in connections.all(initialized_only=True):
        if wrapper.connection is not None and not sessions.is_in_memory(wrapper):
            close_wrapper(wrapper, "exit")


def _refresh(wrapper: BaseDatabaseWrapper, max_age: float | None) -> None:
    session = sessions.session_of(wrapper) or sessions.add(wrapper)
    if (
        max_age is not None
        and time.monotonic() - max(session.opened_at, session.renewed_at) >= max_age
        and _renew(wrapper, session)
    ):
        return
    if wrapper.errors_occurred and not is_in_transaction(wrapper):
        drop(wrapper, "unusable")
        return
    wrapper.__dict__["health_check_done"] = False  # Django's own check, where the settings turn it on
    if is_in_transaction(wrapper):  # left without autocommit, as by a forgotten set_autocommit(): Django closes it
        with ClosingFor(wrapper, "autocommit_changed"):
            wrapper.close()
        return
    now = time.monotonic()
    if now - session.checked_at > IDLE_S:
        drop_if_unusable(wrapper, "health_check_failed")
    session.checked_at = now


def _renew(wrapper: BaseDatabaseWrapper, session: sessions.Session) -> bool:
    """Close a session that is too old; keep one that holds what a new one would not have, and log that once."""
    state = "" if wrapper.errors_occurred else state_of(wrapper)
    if not state:
        with ClosingFor(wrapper, "max_age"):
            wrapper.close()
        return True
    session.renewed_at = time.monotonic()  # looked at again when it is as old once more
    if not session.kept_said:
        session.kept_said = True
        emit("connection.kept", **identity(session), age_s=session.age_s, reason=state)
    return False

"""What a forked child does with the connections it inherited: forget them in a way that the server never learns of.

Closing one would end the parent's session, and with some drivers so does its destructor: therefore ``/dev/null`` is
put over the descriptor, which stays taken, and the object is kept for good. Nothing here logs, waits or takes a lock.
"""

import os
import threading
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from . import events, sessions
from .drivers import descriptor_of, in_transaction
from .lifecycle import identity
from .pools import idle_connections, take_pools
from .sqlite_locks import keep_locked

_kept_alive: list[Any] = []


def discard_inherited() -> None:
    """Run in every forked child before anything else of the project does."""
    events.begin_anew()
    for wrapper in sessions.wrappers():
        try:
            _discard(wrapper)
        except Exception as error:  # noqa: BLE001 - one odd backend must not leave the other connections shared
            wrapper.connection = None
            fields = {"error": type(error).__name__, "message": f"discarding after a fork: {error}", "ms": 0.0}
            events.emit_later("connection.failed", alias=wrapper.alias, vendor=wrapper.vendor, **fields)
    for pool in take_pools():
        _kept_alive.append(pool)
        for connection in idle_connections(pool):
            detach(connection)


def detach(connection: Any) -> None:
    """Cut the driver's connection off from the server and keep it from ever being finalised with a live descriptor."""
    _kept_alive.append(connection)
    descriptor = descriptor_of(connection)
    if descriptor is None:
        return
    try:
        null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    except OSError:  # no descriptor left: it stays open, but nobody uses it or closes it
        return
    os.dup2(null, descriptor, inheritable=False)
    os.close(null)


def _discard(wrapper: BaseDatabaseWrapper) -> None:
    session = sessions.session_of(wrapper)
    if sessions.is_in_memory(wrapper):
        if session is not None:  # a copy of its own, and all there is of the data
            session.pid = os.getpid()
        return
    if session is not None and session.pid == os.getpid():
        return
    connection: Any = wrapper.connection
    if connection is not None:
        if wrapper.vendor == "sqlite" and (wrapper.in_atomic_block or in_transaction(connection)):
            keep_locked(wrapper)
        detach(connection)
    sessions.remove(wrapper)
    reset(wrapper)
    if session is not None:
        events.emit_later("connection.discarded", **identity(session), opened_by=session.pid)


def reset(wrapper: BaseDatabaseWrapper) -> None:
    """Make the wrapper one that never connected."""
    vars(wrapper).update(
        connection=None,
        autocommit=False,
        in_atomic_block=False,
        commit_on_exit=True,
        needs_rollback=False,
        rollback_exc=None,
        closed_in_transaction=False,
        errors_occurred=False,
        run_commit_hooks_on_set_autocommit_on=False,
        health_check_enabled=False,
        health_check_done=False,
        close_at=None,
        savepoint_state=0,
        savepoint_ids=[],
        atomic_blocks=[],
        run_on_commit=[],
        # Another thread may have held it at the fork; it is not here to let it go.
        _thread_sharing_lock=threading.Lock(),
    )
    wrapper.queries_log.clear()

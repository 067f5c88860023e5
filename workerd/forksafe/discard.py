"""Discards the connections that a forked child inherits, without a byte to the server.

A close would send a goodbye on the shared socket and end the parent's session. mysqlclient's destructor does the same.
So a socket without a peer replaces the descriptor, and the driver's object is kept alive for ever. Where C code forks,
no hook runs; the first use of a connection discards them then.

An at-fork hook runs this: it must not log, wait, or take a lock, which another thread may have held at the fork.
"""

import os
import threading
from contextlib import suppress
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from . import events, sessions
from .connection_events import identity
from .drivers import descriptor_of, in_transaction
from .pools import idle_connections, take_pools
from .sockets import connected_sockets, cut_off
from .sqlite_locks import mark_locked

_kept_alive: list[Any] = []
_pid = os.getpid()
"""The process for which the discard has run, or was installed."""


def watch_this_process() -> None:
    """Take what is open now for this process's own."""
    global _pid
    _pid = os.getpid()


def discard_inherited() -> None:
    """Discard every inherited connection and pool; runs in each forked child before any code of the project."""
    watch_this_process()
    events.reset_after_fork()
    for wrapper in sessions.wrappers():
        try:
            _discard(wrapper)
        except Exception as error:  # noqa: BLE001 - a failure of one backend must not leave the other connections shared
            wrapper.connection = None
            fields = {"error": type(error).__name__, "message": f"discarding after a fork: {error}", "ms": 0.0}
            events.emit_later("connection.failed", alias=wrapper.alias, vendor=wrapper.vendor, **fields)
    for pool in take_pools():
        _kept_alive.append(pool)
        for connection in idle_connections(pool):
            detach(connection)
    _cut_off_others()


def discard_unseen() -> bool:
    """Discard what this process has inherited, where it was forked by C code, which runs no hook; else return False."""
    if _pid == os.getpid():
        return False
    discard_inherited()
    return True


def detach(connection: Any) -> None:
    """Cut the driver's connection off from the server, and keep its object alive."""
    # A destructor must not run while the socket is open.
    _kept_alive.append(connection)
    descriptor = descriptor_of(connection)
    if descriptor is not None:
        cut_off(descriptor)


def _cut_off_others() -> None:
    """Cut off the sockets to database servers that are none of Django's: those of other pools, and of drivers."""
    if not sessions.database_peers:
        return
    own = {session.descriptor for session in map(sessions.session_of, sessions.wrappers()) if session is not None}
    for sock in connected_sockets():
        if sock.peer in sessions.database_peers and sock.descriptor not in own:
            cut_off(sock.descriptor)


def _discard(wrapper: BaseDatabaseWrapper) -> None:
    session = sessions.session_of(wrapper)
    if sessions.is_in_memory(wrapper):
        if session is not None:  # the fork has copied the database: the child's copy is its own
            session.pid = os.getpid()
        return
    if session is not None and session.pid == os.getpid():  # opened here, by an at-fork hook that ran earlier
        return
    connection: Any = wrapper.connection
    if connection is not None:
        if wrapper.vendor == "sqlite" and (wrapper.in_atomic_block or in_transaction(connection)):
            mark_locked(wrapper)
        detach(connection)
    sessions.remove(wrapper)
    reset(wrapper)
    if sessions.owner_of(wrapper) == threading.get_ident():
        with suppress(Exception):  # its connection is None: this only has a backend forget what it knows of a session
            wrapper.close()
    if session is not None:
        events.emit_later("connection.discarded", **identity(session), opened_by=session.pid)


def reset(wrapper: BaseDatabaseWrapper) -> None:
    """Put the wrapper into the state of one that has never connected."""
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
        # Another thread may have held this lock at the fork. That thread does not exist in the child.
        _thread_sharing_lock=threading.Lock(),
    )
    wrapper.queries_log.clear()

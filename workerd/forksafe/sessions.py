"""The wrappers that connected in this process, each with a note of its session; closes and logs nothing.

It needs no lock, which a fork could leave held for ever: every step is one operation on a dict.
"""

import os
import threading
import time
import weakref
from collections.abc import Callable, Iterable
from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from .drivers import descriptor_of, session_id_of
from .sockets import peer_of

NOTE = "_workerd_session"
PEER = "_workerd_peer"
database_peers: set[str] = set()
"""Every address at which Django found a database in this process or its parents."""


class Session:
    """One open connection: who opened it, when, and what the server calls it."""

    __slots__ = (
        "alias",
        "checked_at",
        "connection_id",
        "descriptor",
        "number",
        "opened_at",
        "peer",
        "pid",
        "task",
        "thread",
        "vendor",
    )

    def __init__(self, wrapper: BaseDatabaseWrapper) -> None:
        connection: Any = wrapper.connection
        self.alias = wrapper.alias
        self.vendor = wrapper.vendor
        self.pid = os.getpid()
        self.connection_id = id(connection)
        self.number = session_id_of(connection)
        self.descriptor = descriptor_of(connection)
        self.peer = "" if self.descriptor is None else peer_of(self.descriptor)
        owner = _owner(wrapper)
        self.thread = weakref.ref(owner)
        self.task = owner.native_id
        self.opened_at = self.checked_at = time.monotonic()

    @property
    def is_this_threads(self) -> bool:
        """Whether it belongs to the thread that asks."""
        return self.thread() is threading.current_thread()

    @property
    def age_s(self) -> float:
        """Seconds since it was opened, to the millisecond."""
        return round(time.monotonic() - self.opened_at, 3)


def _owner(wrapper: BaseDatabaseWrapper) -> threading.Thread:
    """Return the thread that the wrapper belongs to, which is nearly always the one that runs this."""
    current, ident = threading.current_thread(), owner_of(wrapper)
    if ident != current.ident:
        return next((one for one in threading.enumerate() if one.ident == ident), current)
    return current


class _Entry(weakref.ref[BaseDatabaseWrapper]):
    """A weak reference that still knows the session when its wrapper is gone."""

    __slots__ = ("session",)
    session: Session | None


_entries: dict[int, _Entry] = {}
on_collected: list[Callable[[Session], None]] = []
"""Called, in the middle of a garbage collection, with the session of a wrapper that went without being closed."""


def wrappers() -> list[BaseDatabaseWrapper]:
    """Return every wrapper that ever connected and still exists, of all threads."""
    found = (entry() for entry in list(_entries.values()))
    return [wrapper for wrapper in found if wrapper is not None]


def session_of(wrapper: BaseDatabaseWrapper) -> Session | None:
    """Return the note of the wrapper's session, if it has an open one that we saw."""
    session: Session | None = wrapper.__dict__.get(NOTE)
    return session


def track(wrapper: BaseDatabaseWrapper) -> None:
    """Have the wrapper known before it connects: a fork in the middle must find it."""
    if id(wrapper) not in _entries or _entries[id(wrapper)]() is not wrapper:
        entry = _Entry(wrapper, _collected)
        entry.session = None
        _entries[id(wrapper)] = entry


def add(wrapper: BaseDatabaseWrapper) -> Session:
    """Write down the session that the wrapper has now."""
    track(wrapper)
    session = Session(wrapper)
    wrapper.__dict__[NOTE] = _entries[id(wrapper)].session = session
    if session.peer:
        wrapper.__dict__[PEER] = session.peer
        database_peers.add(session.peer)
    elif session.descriptor is not None:
        wrapper.__dict__.setdefault(PEER, "")
    return session


def remove(wrapper: BaseDatabaseWrapper) -> Session | None:
    """Drop the note and return it: from now on the wrapper has no session."""
    if (entry := _entries.get(id(wrapper))) is not None:
        entry.session = None
    session: Session | None = wrapper.__dict__.pop(NOTE, None)
    return session


def adopt(candidates: Iterable[BaseDatabaseWrapper]) -> None:
    """Note the sessions that were opened before anybody watched."""
    for wrapper in candidates:
        if wrapper.connection is not None and session_of(wrapper) is None:
            add(wrapper)


def open_wrappers() -> list[BaseDatabaseWrapper]:
    """Return the wrappers with a live connection of their own, also those of this thread that we never saw connect."""
    known = {id(wrapper): wrapper for wrapper in wrappers()}
    known.update((id(wrapper), wrapper) for wrapper in connections.all(initialized_only=True))
    return [one for one in known.values() if one.connection is not None and not one.closed_in_transaction]


def owner_of(wrapper: BaseDatabaseWrapper) -> int:
    """Return the identity of the thread that made the wrapper."""
    ident: int = vars(wrapper)["_thread_ident"]
    return ident


def is_in_memory(wrapper: BaseDatabaseWrapper) -> bool:
    """Return whether it is SQLite in memory: it cannot be closed, and a fork copies it whole."""
    if wrapper.vendor != "sqlite":
        return False
    ask: Callable[[], bool] | None = getattr(wrapper, "is_in_memory_db", None)
    return bool(ask and ask())


def _collected(entry: weakref.ref[BaseDatabaseWrapper]) -> None:
    for key, one in list(_entries.items()):
        if one is entry:
            _entries.pop(key, None)
            if one.session is not None:
                for call in on_collected:
                    call(one.session)

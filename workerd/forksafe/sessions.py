"""Remembers the wrappers (Django's connection objects) that connected in this process, and the session of each.

No lock guards the memory, as a fork could leave a lock held for ever: each step is a single operation on a dict.
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

SESSION = "_workerd_session"
"""The attribute of a wrapper that has its open Session."""
PEER = "_workerd_peer"
"""The attribute of a wrapper that has its server's address, also after the session's end; "" where it is unknown."""
CONNECTING = "_workerd_connecting"
"""The attribute that a wrapper has while it opens its session."""
database_peers: set[str] = set()
"""The address of each database server that the settings name, or that Django has connected to."""


class Session:
    """An open connection: the process and thread that opened it, when, and the server's number of it."""

    __slots__ = (
        "alias",
        "checked_at",
        "connection_id",
        "descriptor",
        "kept",
        "kept_said",
        "number",
        "opened_at",
        "peer",
        "pid",
        "renewed_at",
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
        self.kept = ""
        """The state that is known to be lost with the session, in words; "" for none."""
        self.kept_said = False
        self.opened_at = self.checked_at = time.monotonic()
        self.renewed_at = 0.0

    @property
    def is_this_threads(self) -> bool:
        """Whether the calling thread opened the session."""
        return self.thread() is threading.current_thread()

    @property
    def age_s(self) -> float:
        """Seconds since the session was opened, to the millisecond."""
        return round(time.monotonic() - self.opened_at, 3)


def _owner(wrapper: BaseDatabaseWrapper) -> threading.Thread:
    """Return the thread that the wrapper belongs to: nearly always the one that runs this."""
    current, ident = threading.current_thread(), owner_of(wrapper)
    if ident != current.ident:  # install() has found the wrapper of another thread
        return next((thread for thread in threading.enumerate() if thread.ident == ident), current)
    return current


class _Entry(weakref.ref[BaseDatabaseWrapper]):
    """A weak reference to a wrapper; it still has the session when the wrapper is gone."""

    __slots__ = ("session",)
    session: Session | None


_entries: dict[int, _Entry] = {}
on_collected: list[Callable[[Session], None]] = []
"""Functions to call with the session of a wrapper that was collected without a close; inside the collection."""


def wrappers() -> list[BaseDatabaseWrapper]:
    """Return every wrapper of every thread that ever connected and still exists."""
    existing = (entry() for entry in list(_entries.values()))
    return [wrapper for wrapper in existing if wrapper is not None]


def session_of(wrapper: BaseDatabaseWrapper) -> Session | None:
    """Return the wrapper's open session; None where there is none, or where it was opened unseen."""
    session: Session | None = wrapper.__dict__.get(SESSION)
    return session


def track(wrapper: BaseDatabaseWrapper) -> None:
    # Called before the wrapper connects: a fork by another thread in the middle of the connect must find it.
    # An id is given again to later objects, so the entry's own wrapper decides.
    if id(wrapper) not in _entries or _entries[id(wrapper)]() is not wrapper:
        entry = _Entry(wrapper, _collected)
        entry.session = None
        _entries[id(wrapper)] = entry


def add(wrapper: BaseDatabaseWrapper) -> Session:
    """Note and return the session that the wrapper has now."""
    track(wrapper)
    session = Session(wrapper)
    wrapper.__dict__[SESSION] = _entries[id(wrapper)].session = session
    if session.peer:
        wrapper.__dict__[PEER] = session.peer
        database_peers.add(session.peer)
    elif session.descriptor is not None:
        wrapper.__dict__.setdefault(PEER, "")
    return session


def remove(wrapper: BaseDatabaseWrapper) -> Session | None:
    """Forget and return the wrapper's session."""
    if (entry := _entries.get(id(wrapper))) is not None:
        entry.session = None
    session: Session | None = wrapper.__dict__.pop(SESSION, None)
    return session


def adopt(candidates: Iterable[BaseDatabaseWrapper]) -> None:
    """Note the sessions of those candidates that were opened before ``install``."""
    for wrapper in candidates:
        if wrapper.connection is not None and session_of(wrapper) is None:
            add(wrapper)


def open_wrappers() -> list[BaseDatabaseWrapper]:
    """Return the wrappers with an open connection, also those of this thread that connected unseen."""
    known = {id(wrapper): wrapper for wrapper in wrappers()}
    known.update((id(wrapper), wrapper) for wrapper in connections.all(initialized_only=True))
    # Inside atomic() a wrapper keeps its closed connection until the block ends (closed_in_transaction).
    return [
        wrapper for wrapper in known.values() if wrapper.connection is not None and not wrapper.closed_in_transaction
    ]


def owner_of(wrapper: BaseDatabaseWrapper) -> int:
    """Return the ident of the thread that made the wrapper."""
    ident: int = vars(wrapper)["_thread_ident"]
    return ident


def is_in_memory(wrapper: BaseDatabaseWrapper) -> bool:
    """Return whether the wrapper's database is SQLite in memory: a close would lose it, and a fork copies it."""
    if wrapper.vendor != "sqlite":
        return False
    ask: Callable[[], bool] | None = getattr(wrapper, "is_in_memory_db", None)
    return bool(ask and ask())


def _collected(entry: weakref.ref[BaseDatabaseWrapper]) -> None:
    for key, candidate in list(_entries.items()):
        if candidate is entry:
            _entries.pop(key, None)
            if candidate.session is not None:
                for call in on_collected:
                    call(candidate.session)

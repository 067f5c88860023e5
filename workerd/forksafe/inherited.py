"""Finds the sockets that a child would still inherit after prepare_to_fork() has closed everything it may close."""

from django.db.backends.base.base import BaseDatabaseWrapper

from . import sessions
from .events import emit
from .sockets import connected_sockets
from .threads import belongs_to_other, name_of

_warned: set[str] = set()


def check_sockets() -> list[str]:
    """Return a reason against the fork for each socket to a database server; warn once of each other peer."""
    reasons = []
    # Connections of other living threads have sentences of their own, and are discarded in the child.
    known = {_descriptor(wrapper) for wrapper in _wrappers_of_others()}
    for sock in connected_sockets():
        if sock.descriptor in known:
            continue
        if sock.peer in sessions.database_peers:
            reasons.append(
                f"Descriptor {sock.descriptor} is an open socket to the database server {sock.peer} that is none of "
                'Django\'s: close it before the fork, for example in WORKERD["BEFORE_FORK"].'
            )
        else:
            _warn_once(sock.peer, sock.descriptor)
    return reasons


def check_other_threads() -> list[str]:
    """Return a sentence for each connection of another living thread; warn once of each."""
    sentences = []
    for wrapper in _wrappers_of_others():
        session = sessions.session_of(wrapper)
        number = "" if session is None or session.number is None else f", session {session.number}"
        peer = f"database {wrapper.alias!r}{number}, of the living thread {name_of(wrapper)!r}"
        _warn_once(peer, _descriptor(wrapper))
        sentences.append(f"A child would inherit the connection to {peer}.")
    return sentences


def _wrappers_of_others() -> list[BaseDatabaseWrapper]:
    return [
        wrapper
        for wrapper in sessions.open_wrappers()
        if belongs_to_other(wrapper) and not sessions.is_in_memory(wrapper)
    ]


def _descriptor(wrapper: BaseDatabaseWrapper) -> int | None:
    session = sessions.session_of(wrapper)
    return None if session is None else session.descriptor


def _warn_once(peer: str, descriptor: int | None) -> None:
    if peer not in _warned:
        _warned.add(peer)
        emit("socket.inherited", peer=peer, descriptor=descriptor)

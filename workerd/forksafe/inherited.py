"""Finds the sockets that a child would still inherit after prepare_to_fork() has closed everything it may close."""

from operator import attrgetter

from django.db.backends.base.base import BaseDatabaseWrapper

from . import sessions
from .events import emit
from .servers import name_of_server
from .sockets import OpenSocket, connected_sockets
from .threads import belongs_to_other, name_of, wait_for_connecting

REMEDY = "open it in each process, in child_started or at its first use, instead of while the project is loaded,"
_warned: set[str] = set()


def check_sockets(*, strict: bool = False) -> list[str]:
    """Return a reason against the fork for each database server that a stranger's socket leads to.

    Sockets to other servers are reasons where ``strict``; else they are warned of, once for each server.
    """
    found = _strangers()
    if any(sock.peer in sessions.database_peers for sock in found):
        wait_for_connecting()  # such a socket may be Django's, of another thread that is only now connecting
        found &= _strangers()
    by_peer: dict[str, list[int]] = {}
    for sock in sorted(found, key=attrgetter("descriptor")):
        by_peer.setdefault(sock.peer, []).append(sock.descriptor)
    reasons = []
    for peer, descriptors in by_peer.items():
        name = name_of_server(peer)
        server = f"{name} at {peer}" if name else peer
        if peer in sessions.database_peers:
            reasons.append(
                f"{_descriptors(descriptors)} to the database server {peer}{f' ({name})' if name else ''}, and Django "
                'does not know it: close it before the fork, for example in WORKERD["BEFORE_FORK"].'
            )
        elif strict:
            reasons.append(f"{_descriptors(descriptors)} to {server}: {REMEDY} or set STRICT_FORK to False.")
        else:
            _warn_once(server, descriptors[0])
    return reasons


def _descriptors(numbers: list[int]) -> str:
    if len(numbers) == 1:
        return f"Descriptor {numbers[0]} is an open socket"
    return f"Descriptors {', '.join(map(str, numbers))} are open sockets"


def _strangers() -> set[OpenSocket]:
    """Return the connected sockets that no wrapper of a living thread owns."""
    # Connections of other living threads have sentences of their own, and are discarded in the child.
    known = {_descriptor(wrapper) for wrapper in _wrappers_of_others()}
    return {sock for sock in connected_sockets() if sock.descriptor not in known}


def check_other_threads() -> list[str]:
    """Return a sentence for each connection of another living thread; warn once of each."""
    sentences = []
    for wrapper in _wrappers_of_others():
        session = sessions.session_of(wrapper)
        number = "" if session is None or session.number is None else f", session {session.number}"
        peer = f"database {wrapper.alias!r}{number}, of the living thread {name_of(wrapper)!r}"
        _warn_once(peer, _descriptor(wrapper), key=f"{wrapper.alias} {name_of(wrapper)}")
        sentences.append(f"A forked process would inherit the connection to {peer}.")
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


def _warn_once(peer: str, descriptor: int | None, key: str = "") -> None:
    if (key or peer) not in _warned:
        _warned.add(key or peer)
        emit("socket.inherited", peer=peer, descriptor=descriptor, remedy=REMEDY)

"""What a child would still inherit after everything of ours is closed: sockets, and connections of other threads."""

from django.db.backends.base.base import BaseDatabaseWrapper

from . import sessions
from .events import emit
from .sockets import connected_sockets
from .threads import belongs_to_other, name_of

_named: set[str] = set()


def look_at_sockets() -> list[str]:
    """Return a reason for each socket to a known database server; any other peer is warned about, once."""
    reasons = []
    known = {descriptor for descriptor in (_descriptor(one) for one in _others()) if descriptor is not None}
    for one in connected_sockets():
        if one.descriptor in known:
            continue
        if one.peer in sessions.database_peers:
            reasons.append(
                f"Descriptor {one.descriptor} is an open socket to the database server {one.peer} that is none of "
                'Django\'s: close it before the fork, for example in WORKERD["BEFORE_FORK"].'
            )
        else:
            _name_once(one.peer, one.descriptor)
    return reasons


def name_other_threads() -> list[str]:
    """Name, once each, the connections of other living threads, and return a sentence for each."""
    sentences = []
    for wrapper in _others():
        session = sessions.session_of(wrapper)
        which = "" if session is None or session.number is None else f", session {session.number}"
        what = f"database {wrapper.alias!r}{which}, of the living thread {name_of(wrapper)!r}"
        _name_once(what, _descriptor(wrapper))
        sentences.append(f"A child would inherit the connection to {what}.")
    return sentences


def _others() -> list[BaseDatabaseWrapper]:
    return [one for one in sessions.open_wrappers() if belongs_to_other(one) and not sessions.is_in_memory(one)]


def _descriptor(wrapper: BaseDatabaseWrapper) -> int | None:
    session = sessions.session_of(wrapper)
    return None if session is None else session.descriptor


def _name_once(peer: str, descriptor: int | None) -> None:
    if peer not in _named:
        _named.add(peer)
        emit("socket.inherited", peer=peer, descriptor=descriptor)

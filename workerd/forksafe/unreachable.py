"""Tells an error that is the database's absence from one that is the job's."""

import socket
import time
from collections.abc import Iterator

from django.db.utils import DatabaseError, InterfaceError, OperationalError

from . import sessions

PROBE_S = 1.0
PROBE_AGAIN_S = 0.1
PROBES = 4
"""A server that goes away breaks its sessions a moment before it stops listening."""


def is_unreachable(error: BaseException) -> str:
    """Return the alias of the database whose absence caused ``error``, or an empty string.

    Either a connect failed, or a session broke and its server takes no connections now (tried, for a second at most),
    or it broke so early that nobody saw who its server was.
    """
    chain = list(_causes(error))
    if not any(_may_be_absence(one) for one in chain):
        return ""
    for one in chain:
        if alias := getattr(one, "workerd_alias", ""):
            return str(alias)
    for wrapper in sessions.wrappers():
        peer = wrapper.__dict__.get(sessions.PEER)
        if wrapper.errors_occurred and peer is not None and not (peer and _answers_still(peer)):
            return wrapper.alias
    return ""


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        yield one
        one = one.__cause__ or one.__context__


def _may_be_absence(error: BaseException) -> bool:
    """Return whether it is of a kind that a lost server raises; of some, psycopg2 says only ``DatabaseError``."""
    return isinstance(error, OperationalError | InterfaceError) or type(error) is DatabaseError


def _answers_still(peer: str) -> bool:
    """Return whether something listens at ``peer``, now and a moment later."""
    for probe in range(PROBES):
        if probe:
            time.sleep(PROBE_AGAIN_S)
        if not _answers(peer):
            return False
    return True


def _answers(peer: str) -> bool:
    """Return whether something listens at ``peer`` as ``sockets.peer_of`` writes it."""
    try:
        if peer.startswith(("/", "@")):
            with socket.socket(socket.AF_UNIX) as sock:
                sock.settimeout(PROBE_S)
                sock.connect(peer.replace("@", "\0", 1) if peer[0] == "@" else peer)
        else:
            host, _, port = peer.rpartition(":")
            socket.create_connection((host.strip("[]"), int(port)), timeout=PROBE_S).close()
    except OSError:
        return False
    return True

"""Tells whether an error means that a database is out of reach, or that the job has failed."""

import socket
import time
from collections.abc import Iterator

from django.db.utils import DatabaseError, InterfaceError, OperationalError

from . import sessions

PROBE_S = 1.0
PROBE_AGAIN_S = 0.1
PROBES = 4
"""Several, as a server that shuts down ends its sessions a moment before it stops to listen."""


def is_unreachable(error: BaseException) -> str:
    """Return the alias of the database that was out of reach and so caused ``error``; "" for any other error.

    A database counts as out of reach where a connect failed, where a session broke and its server accepts no
    connection now, or where a session broke before its server's address was known. The try to connect
    takes about a second at most.
    """
    chain = list(_causes(error))
    if not any(_may_come_from_lost_server(cause) for cause in chain):
        return ""
    for cause in chain:
        if alias := getattr(cause, "workerd_alias", ""):  # set where a connect fails
            return str(alias)
    for wrapper in sessions.wrappers():
        peer = wrapper.__dict__.get(sessions.PEER)
        if wrapper.errors_occurred and peer is not None and not (peer and _keeps_answering(peer)):
            return wrapper.alias
    return ""


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or cause.__context__


def _may_come_from_lost_server(error: BaseException) -> bool:
    """Return whether a lost server can raise an error of this class."""
    # psycopg2 raises a bare DatabaseError for some of them
    return isinstance(error, OperationalError | InterfaceError) or type(error) is DatabaseError


def _keeps_answering(peer: str) -> bool:
    """Return whether something listens at ``peer``, now and still a moment later."""
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

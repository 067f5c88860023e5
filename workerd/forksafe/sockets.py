"""The sockets of this process, which a forked child would inherit."""

import os
import socket
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .connecting import goal_of

_FOLDER = "/proc/self/fd" if Path("/proc/self/fd").is_dir() else "/dev/fd"  # the second one on BSD and macOS


@dataclass(frozen=True, slots=True)
class OpenSocket:
    """A stream socket that is connected or connecting to ``peer``, or one that listens at ``address``; else "".

    ``inode`` tells it from a later socket that has got the same descriptor.
    An address is ``host:port``, ``[host]:port`` for IPv6, the path of a Unix socket, or ``@name`` for an abstract one.
    """

    descriptor: int
    inode: int
    peer: str
    address: str = ""


def peer_of(descriptor: int) -> str:
    """Return the address of a stream socket's other end; "" where there is none."""
    found = _look(descriptor, 0)
    return found.peer if found else ""


def open_sockets() -> Iterator[OpenSocket]:
    """Yield the stream sockets that listen, and those whose other end has an address: socket pairs have none."""
    for descriptor in _descriptors():
        try:
            status = os.fstat(descriptor)
        except OSError:  # the descriptor that listed the folder, closed by now
            continue
        if stat.S_ISSOCK(status.st_mode) and (found := _look(descriptor, status.st_ino)):
            yield found


def connected_sockets() -> Iterator[OpenSocket]:
    """Yield the open sockets that do not listen."""
    return (sock for sock in open_sockets() if sock.peer)


def cut_off(descriptor: int) -> None:
    """Put a socket whose other end is closed in the place of a descriptor, without a byte to the present other end."""
    try:
        silent, closed = socket.socketpair()
    except OSError:  # no descriptor is left: the socket stays open here
        return
    closed.close()
    # Not close(descriptor): some object still has the number, which the next open() would get. dup2 drops this
    # process's share of the socket without a byte on the wire (no shutdown(2)), and keeps the number taken. A library
    # that reads there finds the end of the connection, as if the server had closed it.
    os.dup2(silent.fileno(), descriptor, inheritable=False)
    silent.close()


def _look(descriptor: int, inode: int) -> OpenSocket | None:
    try:
        # dup: the socket object closes its descriptor, and the original must stay open
        with socket.socket(fileno=os.dup(descriptor)) as sock:
            if sock.type != socket.SOCK_STREAM:
                return None
            if sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                return OpenSocket(descriptor, inode, "", format_address(sock.getsockname()))
            peer = format_address(_other_end(sock))
            return OpenSocket(descriptor, inode, peer) if peer else None
    except OSError:  # not a socket, closed meanwhile, or not connected
        return None


def _other_end(sock: socket.socket) -> object:
    """Return the address that ``sock`` is connected to, or that it is connecting to. Raises OSError where none is."""
    try:
        return sock.getpeername()
    except OSError:
        if (goal := goal_of(sock)) is None:
            raise
        return goal


def _descriptors() -> list[int]:
    return [int(name) for name in os.listdir(_FOLDER)]  # noqa: PTH208 - iterdir is three times slower, at every fork


def format_address(address: object) -> str:
    """Return what ``getpeername`` or ``getaddrinfo`` gives as text, in the form of ``OpenSocket``."""
    if isinstance(address, tuple):
        host = f"[{address[0]}]" if ":" in str(address[0]) else address[0]
        return f"{host}:{address[1]}"
    if isinstance(address, bytes):
        return "@" + address.strip(b"\0").decode(errors="replace")
    return str(address)

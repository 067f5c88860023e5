"""Finds the peer of a TCP socket that is still connecting: ``getpeername`` tells it only after the answer."""

import os
import socket
import struct

SYN_SENT = 2
"""The kernel's number for the state of a TCP socket that has asked for a connection and has no answer yet."""
_TABLES = {socket.AF_INET: "/proc/self/net/tcp", socket.AF_INET6: "/proc/self/net/tcp6"}
_REMOTE, _INODE = 2, 9
"""The columns of the address at the other end, and of the socket's inode (proc(5))."""


def goal_of(sock: socket.socket) -> tuple[str, int] | None:
    """Return host and port that ``sock`` is connecting to; None where it is not, or where the system does not tell."""
    table = _TABLES.get(socket.AddressFamily(sock.family))
    if table is None or not hasattr(socket, "TCP_INFO"):
        return None
    # The state first: the table has a line for each socket of the machine.
    if sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] != SYN_SENT:
        return None
    inode = str(os.fstat(sock.fileno()).st_ino)
    with open(table, encoding="ascii") as lines:  # noqa: PTH123 - in each forked child: as little as can be
        for line in lines:
            columns = line.split()
            if columns[_INODE : _INODE + 1] == [inode]:
                return _address(sock.family, columns[_REMOTE])
    return None


def _address(family: int, text: str) -> tuple[str, int]:
    """Read ``0100007F:1538``: the address in words of 32 bits, each as this machine stores it, and the port."""
    address, port = text.split(":")
    words = (int(address[at : at + 8], 16) for at in range(0, len(address), 8))
    return socket.inet_ntop(family, b"".join(struct.pack("=I", word) for word in words)), int(port, 16)

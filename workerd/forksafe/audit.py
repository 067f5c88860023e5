"""Finds processes that hold the same socket to a database server. Reads /proc alone: no Django, no settings.

Sessions over a Unix socket are not found: /proc does not say which server such a socket talks to.
"""

import os
import socket
import struct
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from workerd.wire.visible import visible

DATABASE_PORTS = frozenset({1521, 3306, 5432, 6432})
"""Oracle, MySQL and MariaDB, PostgreSQL, PgBouncer."""
_ESTABLISHED = "01"
"""TCP_ESTABLISHED in the column ``st`` of /proc/net/tcp (proc_net_tcp.rst of the kernel)."""


@dataclass(frozen=True, slots=True)
class SharedSession:
    """A session that several processes could speak on.

    ``peer`` is the server's address, ``client`` ours, and ``holders`` the processes: pid and command line.
    """

    peer: str
    client: str
    holders: tuple[tuple[int, str], ...]

    def __str__(self) -> str:
        count = len(self.holders)
        lines = [f"The session with {self.peer} from client address {self.client} is held by {count} processes:"]
        return "\n".join(lines + [f"  {pid:>8}  {visible(command)}" for pid, command in self.holders])


@dataclass(frozen=True, slots=True)
class Findings:
    """The shared sessions, and how many processes could not be read."""

    shared: tuple[SharedSession, ...]
    unreadable: int


def audit(pids: Iterable[int] = (), ports: Iterable[int] = DATABASE_PORTS) -> Findings:
    """Find the shared sessions with servers at ``ports``; with ``pids``, only those that one of them holds."""
    wanted, ports = set(pids), set(ports)
    holders, unreadable = _holders()
    shared = []
    for inode, owners in sorted(holders.items()):
        if len(owners) > 1 and (not wanted or wanted & owners):
            client, peer = _addresses(inode, owners)
            if peer and int(peer.rpartition(":")[2]) in ports:
                shared.append(SharedSession(peer, client, tuple((pid, _command(pid)) for pid in sorted(owners))))
    return Findings(tuple(shared), unreadable)


def _holders() -> tuple[dict[str, set[int]], int]:
    """Return the pids that hold each socket, by its inode, and how many processes could not be read."""
    holders: dict[str, set[int]] = defaultdict(set)
    unreadable = 0
    for name in os.listdir("/proc"):  # noqa: PTH208 - names are all that is wanted
        if name.isdecimal():
            try:
                for inode in _inodes(Path("/proc", name, "fd")):
                    holders[inode].add(int(name))
            except PermissionError:
                unreadable += 1
            except OSError:  # the process ended meanwhile
                continue
    return holders, unreadable


def _inodes(folder: Path) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in entries:
            try:
                target = os.readlink(entry.path)  # noqa: PTH115 - a link to text, not to a path
            except FileNotFoundError:  # the descriptor was closed meanwhile
                continue
            if target.startswith("socket:["):
                yield target[8:-1]


def _addresses(inode: str, owners: set[int]) -> tuple[str, str]:
    """Return the client's and the server's address of an established TCP socket, or two empty strings."""
    for pid in owners:  # through a process that holds the socket: a container has network tables of its own
        for table in ("tcp", "tcp6"):
            try:
                lines = Path("/proc", str(pid), "net", table).read_text().splitlines()[1:]
            except OSError:  # the process ended, or its network has no IPv6
                continue
            for line in lines:
                fields = line.split()
                if fields[9] == inode and fields[3] == _ESTABLISHED:
                    return _address(fields[1]), _address(fields[2])
    return "", ""


def _address(text: str) -> str:
    """Return ``host:port`` for an address of /proc/net/tcp: hexadecimal 32-bit words in the machine's byte order."""
    host, _, port = text.partition(":")
    packed = b"".join(struct.pack("=I", int(host[at : at + 8], 16)) for at in range(0, len(host), 8))
    name = socket.inet_ntop(socket.AF_INET if len(packed) == 4 else socket.AF_INET6, packed)
    name = name.removeprefix("::ffff:") if "." in name else name  # an IPv4 peer of an IPv6 socket
    return f"[{name}]:{int(port, 16)}" if ":" in name else f"{name}:{int(port, 16)}"


def _command(pid: int) -> str:
    try:
        words = Path("/proc", str(pid), "cmdline").read_bytes().rstrip(b"\0").split(b"\0")
    except OSError:
        return "(ended)"
    return b" ".join(words).decode(errors="replace") or "(no command line)"

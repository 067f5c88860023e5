"""Refuses jobs of the fleet on a SQLite file of several hosts: its locks, which a seat rests on, hold on one host."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from django.db import connections

from workerd.models import Node
from workerd.models.clock import DatabaseNow
from workerd.models.node import LATE

NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "ceph", "fuse.ceph", "fuse.glusterfs", "fuse.sshfs", "lustre", "gpfs", "afs"}
)
"""File systems that hosts share."""
REMEDY = "Use PostgreSQL, MySQL or MariaDB, or give the job the scope each_node"


def why_no_fleet(alias: str, host: str = "") -> str:
    """Return why no job of the fleet can run on the database, "" where it can; ``host`` is this node's.

    Raises the database's errors.
    """
    connection = connections[alias]
    if connection.vendor != "sqlite":
        return ""
    path = str(connection.settings_dict["NAME"])
    if kind := shared_by(path, Path("/proc/self/mountinfo")):
        return f"scope is fleet, and the SQLite file {path} is on {kind}, where its locks do not hold. {REMEDY}."
    hosts = sorted(living_hosts(alias) - {host}) if host else sorted(living_hosts(alias))[1:]
    if hosts:
        return f"scope is fleet, and SQLite serves one host: a node on {hosts[0]} uses the file, too. {REMEDY}."
    return ""


def living_hosts(alias: str) -> set[str]:
    """Return the hosts from which nodes report."""
    nodes = Node.objects.using(alias).filter(pulse__gt=DatabaseNow() - LATE)
    return set(nodes.values_list("host", flat=True))


def shared_by(path: str, mounts: Path) -> str:
    """Return the kind of the file system that other hosts share with the file, "" for one of this host."""
    try:
        lines = mounts.read_text().splitlines()
    except OSError:  # no Linux, or no /proc
        return ""
    real = Path(path).resolve()
    found = max(_holding(real, lines), key=lambda mount: len(mount[0].parts), default=None)
    return found[1] if found is not None and found[1] in NETWORK else ""


def _holding(path: Path, lines: Iterable[str]) -> Iterator[tuple[Path, str]]:
    """Yield each mount, a place and a kind, under which ``path`` is."""
    for line in lines:
        left, _, right = line.partition(" - ")
        place = Path(left.split()[4].encode().decode("unicode_escape"))
        if path.is_relative_to(place):
            yield place, right.split()[0]

"""Reads in /proc whether a process is there and still the same one, whose it is, and its marks."""

import os
from collections.abc import Iterator
from typing import NamedTuple

from workerd.daemon.io.files import read_text
from workerd.wire.config import DAEMON_VARIABLE
from workerd.wire.words import RUN_VARIABLE

from .lock import holds_lock

TREE_VARIABLE = "WORKERD_TREE"
"""Marks every process that descends from this daemon, also where it leaves its group or session."""


FORKSERVER_RUN = "forkserver-"
"""Begins what stands in place of a run for a forkserver."""


class Look(NamedTuple):
    """A process at one moment; its start, in ticks since the boot, tells it from a later one of its pid."""

    name: str
    is_zombie: bool
    group: int
    started: int


def look(pid: int) -> Look | None:
    """Return what is there under a pid, None for nothing."""
    try:
        head, _, tail = read_text(f"/proc/{pid}/stat").rpartition(")")
        fields = tail.split()
        return Look(head.partition("(")[2], fields[0] in "ZX", int(fields[2]), int(fields[19]))
    except (OSError, ValueError, IndexError):
        return None


def all_pids() -> Iterator[int]:
    """Yield every process that /proc shows, but this one."""
    return (int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid())


def environment(pid: int) -> dict[bytes, bytes]:
    """Return the environment with which a process was started; of a zombie it is empty.

    Raises PermissionError where it may not be read, and another OSError where the process is gone.
    """
    with open(f"/proc/{pid}/environ", "rb") as file:
        return dict(entry.partition(b"=")[::2] for entry in file.read().split(b"\0"))


def run_of(pid: int, tree: str) -> str | None:
    """Return the run whose mark a process of this tree carries, "" for none; None for a process of no such tree.

    Raises PermissionError where its marks may not be read.
    """
    try:
        marks = environment(pid)
    except PermissionError:
        raise
    except OSError:
        return None
    if marks.get(TREE_VARIABLE.encode()) != tree.encode():
        return None
    return marks.get(RUN_VARIABLE.encode(), b"").decode("utf-8", "replace").strip()


def is_trusted(pid: int) -> bool:
    """Return whether a process runs as our user or as root: what another one says of itself may be forged."""
    try:
        lines = read_text(f"/proc/{pid}/status").splitlines()
        users = next(line.split()[1:3] for line in lines if line.startswith("Uid:"))
    except (OSError, StopIteration):
        return False
    return {int(user) for user in users} <= {0, os.geteuid()}


def find_running_daemon(tree: str) -> int | None:
    """Return the pid of the daemon of this tree that runs, wherever its lock file is now.

    A process that only tries to become the daemon holds no lock, and another user's is no daemon of ours.
    """
    mark = tree.encode()
    for pid in all_pids():
        try:
            marked = environment(pid).get(DAEMON_VARIABLE.encode()) == mark
        except OSError:  # it is gone meanwhile, or another user's
            continue
        if marked and is_trusted(pid) and holds_lock(pid):
            return pid
    return None

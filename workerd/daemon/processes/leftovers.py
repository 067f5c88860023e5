"""Processes that nobody supervises: left by a daemon that was killed, or by a child that left its group.

They carry this tree's WORKERD_TREE in their environment. A stranger without it, such as PID 1 of a container adopts, is
only reaped.
"""

import os
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress

from workerd.daemon.io.log import EventLog
from workerd.daemon.io.loop import Loop
from workerd.wire.config import DAEMON_VARIABLE

from .forkserver import TREE_VARIABLE
from .lock import holds_lock
from .reaper import OwnedProcesses, children

GRACE_S = 2.0
POLL_S = 0.05
BUSY_S = 2 * GRACE_S
"""The daemon's own end waits no longer than this for adopted processes."""


def find_marked(tree: str, pids: Iterable[int], variable: str = TREE_VARIABLE) -> list[int]:
    """Return those of ``pids`` that carry this tree's mark and are no zombies."""
    mark = f"{variable}={tree}".encode()
    found = []
    for pid in pids:
        # An OSError: it is gone meanwhile, or another user's.
        with suppress(OSError), open(f"/proc/{pid}/environ", "rb") as environ:
            if mark in environ.read().split(b"\0"):
                found.append(pid)
    return found


def find_running_daemon(tree: str) -> int | None:
    """Return the pid of the daemon of this tree that runs, wherever its lock file is now.

    A process that only tries to become the daemon holds no lock.
    """
    return next((pid for pid in find_marked(tree, all_pids(), DAEMON_VARIABLE) if holds_lock(pid)), None)


def all_pids() -> Iterator[int]:
    """Yield every process that /proc shows, but this one."""
    return (int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid())


class Leftovers:
    """Ends marked processes: by TERM, then by KILL after two seconds."""

    def __init__(self, loop: Loop, log: EventLog, tree: str, registry: OwnedProcesses) -> None:
        self._loop = loop
        self._log = log
        self._tree = tree
        self._registry = registry
        self._hunting = False
        self._hunting_since = 0.0
        self._patience: dict[int, float] = {}
        """Until when each adopted process that was asked to end may take its time."""

    def end_leftovers(self, then: Callable[[], None]) -> None:
        """End what an earlier daemon of this tree left behind; call ``then`` when none of it is left."""
        pids = find_marked(self._tree, all_pids())
        if pids:
            self._log.emit("leftovers.ended", pids=pids)
        self._end(pids, signal.SIGTERM)
        self._wait(pids, self._loop.clock.monotonic() + GRACE_S, then)

    def end_adopted(self) -> None:
        """End what a child that has just ended left among the daemon's children, and in turn what those leave."""
        if not self._hunting:
            self._hunting, self._hunting_since = True, self._loop.clock.monotonic()
            self._loop.call_soon(self._hunt)

    @property
    def busy(self) -> bool:
        """Whether adopted processes may be left that are worth waiting for."""
        return self._hunting and self._loop.clock.monotonic() - self._hunting_since < BUSY_S

    def _hunt(self) -> None:
        """Look until none is left."""
        births = (
            self._registry.open_births() is not None
        )  # a newborn carries the mark before its pid is known: end nobody now
        if not births:
            self._end_strangers()
        self._hunting = births or bool(self._patience)
        if self._hunting:
            self._loop.call_in(POLL_S, self._hunt)

    def _end_strangers(self) -> None:
        now, patience = self._loop.clock.monotonic(), self._patience
        found = find_marked(self._tree, [pid for pid in children() if not self._registry.owns(pid)])
        self._end([pid for pid in found if pid not in patience], signal.SIGTERM)
        self._end([pid for pid in found if patience.get(pid, now) < now], signal.SIGKILL)
        self._patience = {pid: patience.get(pid, now + GRACE_S) for pid in found}

    def _wait(self, pids: list[int], until: float, then: Callable[[], None]) -> None:
        left = find_marked(self._tree, pids)
        if not left:
            then()
            return
        if self._loop.clock.monotonic() >= until:
            self._end(left, signal.SIGKILL)
        self._loop.call_in(POLL_S, lambda: self._wait(left, until, then))

    def _end(self, pids: list[int], number: int) -> None:
        for pid in pids:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)

"""The one way in which a process is reaped: peek at who has ended, find its owner, then wait for exactly that pid."""

import os
from collections.abc import Callable, Iterable
from typing import Protocol

from workerd.daemon.rules.outcome import ExitStatus

_EXITED = os.WEXITED | os.WNOHANG


class OwnedProcesses(Protocol):
    """The processes that the daemon owns, and whether a newborn may exist whose pid is not known yet."""

    def owned_pids(self) -> Iterable[int]:
        """Return the pids of every child and every forkserver."""

    def owns(self, pid: int) -> bool:
        """Return whether ``pid`` is a child or a forkserver."""

    def end_group(self, pid: int) -> None:
        """Kill what an ended process has left in its group; while it is not reaped, no other group has its number."""

    def expects_births(self) -> bool:
        """Return whether a child may exist whose pid is not known yet."""


def reap(registry: OwnedProcesses, tell: Callable[[int, ExitStatus], None]) -> bool:
    """Reap whatever has ended. A stranger at the head of the queue is left while a birth is open, and looked behind.

    Return whether one was left: no further SIGCHLD tells of it, so reap again when the births are over.
    """
    while (seen := os_waitid(os.P_ALL, 0, _EXITED | os.WNOWAIT)) is not None:
        if registry.owns(seen.si_pid):
            _collect(seen.si_pid, registry, tell)
        elif registry.expects_births():
            for pid in tuple(registry.owned_pids()):
                _collect(pid, registry, tell)
            return True
        else:
            os_waitid(os.P_PID, seen.si_pid, _EXITED)
    return False


def _collect(pid: int, registry: OwnedProcesses, tell: Callable[[int, ExitStatus], None]) -> None:
    """Reap by wait4(2): of all its kin it alone says how much memory the process ever had."""
    if os_waitid(os.P_PID, pid, _EXITED | os.WNOWAIT) is None:
        return
    registry.end_group(pid)
    try:
        ended, status, usage = os.wait4(pid, os.WNOHANG)
    except ChildProcessError:
        return
    if ended:
        tell(pid, ExitStatus.from_wait(status, usage.ru_maxrss / 1024))


def os_waitid(kind: int, number: int, options: int) -> os.waitid_result | None:
    """waitid(2), None where nothing has ended or there is no such child."""
    try:
        return os.waitid(kind, number, options)
    except ChildProcessError:
        return None

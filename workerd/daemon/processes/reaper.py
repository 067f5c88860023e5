"""The one way in which a process is reaped: peek at who has ended, find its owner, then wait for exactly that pid.

Whatever the kernel answers for one process, and whatever its owner does with its end, the others are reaped.
"""

import errno
import os
from collections.abc import Callable, Iterable
from functools import partial
from typing import NamedTuple, Protocol

from workerd.daemon.io.files import read_text
from workerd.daemon.io.loop import SHARE_S, Loop, Timer
from workerd.daemon.rules.outcome import ExitStatus

_ENDED = os.WEXITED | os.WNOHANG | os.WNOWAIT
AGAIN_S = 1.0
"""The reaper tries again after this, where a process could not be reaped."""


class OpenBirths(NamedTuple):
    """The numbers of the oldest and of the newest birth whose child may exist although its pid is not known yet."""

    oldest: int
    newest: int


class OwnedProcesses(Protocol):
    """The processes that the daemon owns, and which newborns may exist whose pids are not known yet."""

    def owned_pids(self) -> Iterable[int]:
        """Return the pids of every child and every forkserver."""

    def owns(self, pid: int) -> bool:
        """Return whether ``pid`` is a child or a forkserver."""

    def end_group(self, pid: int) -> None:
        """Kill what an ended process has left in its group; while it is not reaped, no other group has its number."""

    def open_births(self) -> OpenBirths | None:
        """Return which births are open, None where none is."""


class Newborns:
    """Tells which strangers may be children whose pids are not known yet: those of births that were open by then.

    One that was there before a birth was asked for is not its child, however many births are always open.
    """

    def __init__(self, open_births: Callable[[], OpenBirths | None]) -> None:
        self._open_births = open_births
        self._newest: dict[int, int] = {}
        """By pid: the newest birth that was open when a stranger was first seen."""

    def may_be(self, pid: int) -> bool:
        """Return whether a stranger may be one, and take note of it."""
        births = self._open_births()
        if births is None:
            self._newest.clear()
            return False
        return births.oldest <= self._newest.setdefault(pid, births.newest)

    def forget(self, pid: int) -> None:
        """Forget a stranger that is gone: its pid may be another's soon."""
        self._newest.pop(pid, None)


class Reaper:
    """Reaps what has ended. A stranger is left while it may be the newborn of a birth that was open when it came."""

    def __init__(self, loop: Loop, registry: OwnedProcesses, tell: Callable[[int, ExitStatus], None]) -> None:
        self._loop = loop
        self._registry = registry
        self._tell = tell
        self._newborns = Newborns(registry.open_births)
        self._again: Timer | None = None
        self._left_for: OpenBirths | None = None

    def reap(self) -> None:
        """Reap as many as there is time for in this turn; the rest follows in the next one."""
        until = self._loop.clock.monotonic() + SHARE_S
        self._left_for = None
        tried: set[int] = set()
        while (pid := self._peek(os.P_ALL, 0)) != 0:
            if pid in tried or not self._take(pid):
                self._look_behind(until)
                break
            tried.add(pid)
            if self._loop.clock.monotonic() >= until:
                self._loop.call_next(self.reap)
                break

    def look_again(self) -> None:
        """Reap, at the end of a turn, what was left for a birth that is over now."""
        if self._left_for is not None and self._registry.open_births() != self._left_for:
            self.reap()

    def _take(self, pid: int) -> bool:
        """Reap a process at the head of the queue; False where it stays there."""
        if pid < 0:
            return False
        if self._registry.owns(pid):
            self._collect(pid)
            return True
        if self._newborns.may_be(pid):
            return False
        self._newborns.forget(pid)
        self._wait(pid)
        return True

    def _look_behind(self, until: float) -> None:
        """Reap the daemon's own, one by one: what is at the head of the queue hides them from a peek at all."""
        self._left_for = self._registry.open_births()
        for pid in tuple(self._registry.owned_pids()):
            # A look at those that live never ends the turn's share: the next turn would come no further.
            if self._collect(pid) and self._loop.clock.monotonic() >= until:
                self._loop.call_next(self.reap)
                break
        if self._left_for is not None:
            for pid in children():
                if not self._registry.owns(pid):
                    self._newborns.may_be(pid)
        if self._again is not None:
            self._again.cancel()
        self._again = self._loop.call_in(AGAIN_S, self.reap)

    def _collect(self, pid: int) -> bool:
        """Reap one of the daemon's own; False where it has not ended."""
        if self._peek(os.P_PID, pid) != pid:
            return False
        self._loop.attempt(partial(self._registry.end_group, pid))
        if (end := self._wait(pid)) is not None:
            self._loop.attempt(partial(self._tell, pid, end))
        return True

    def _peek(self, kind: int, number: int) -> int:
        """Return the pid of a process that has ended, and leave it; 0 for none, -1 where the kernel does not say."""
        try:
            seen = os.waitid(kind, number, _ENDED)
        except OSError as error:  # that it has no children at all is no answer while some are known
            return 0 if error.errno == errno.ECHILD and not any(self._registry.owned_pids()) else -1
        return seen.si_pid if seen is not None else 0

    def _wait(self, pid: int) -> ExitStatus | None:
        """Reap by wait4(2): of all its kin it alone says how much memory the process ever had."""
        try:
            ended, status, usage = os.wait4(pid, os.WNOHANG)
        except OSError:
            return None
        return ExitStatus.from_wait(status, usage.ru_maxrss / 1024) if ended else None


def children() -> list[int]:
    """Return the daemon's children, zombies too: those it started, and those it adopted as a subreaper."""
    pid = os.getpid()
    try:
        return [int(word) for word in read_text(f"/proc/{pid}/task/{pid}/children").split()]
    except (OSError, ValueError):
        return []

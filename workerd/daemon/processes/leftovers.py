"""Ends with a run what that run has left among the daemon's adopted children, and nothing of another run.

Leftovers carry WORKERD_TREE and the run's WORKERD_RUN in their environment. A stranger without them, such as PID 1 of a
container adopts, is only reaped.
"""

import os
from collections import deque
from collections.abc import Iterator
from functools import partial
from typing import Any, Protocol

from workerd.daemon.io.listeners import Listeners
from workerd.daemon.io.log import EventLog
from workerd.daemon.io.loop import SHARE_S, Loop

from .endings import GRACE_S, KILL_PATIENCE_S, Endings, Leftover
from .proc import look, run_of
from .reaper import Newborns, OpenBirths, children
from .signals import is_group

BUSY_S = GRACE_S + KILL_PATIENCE_S
"""The daemon's own end waits no longer than this for them."""


class Runs(Protocol):
    """Tells which processes are the daemon's own, and which runs live."""

    def owns(self, pid: int) -> bool:
        """Return whether ``pid`` is a child or a forkserver."""

    def living_runs(self) -> set[str]:
        """Return the marks of all children and forkservers."""

    def open_births(self) -> OpenBirths | None:
        """Return which births are open, None where none is."""


class Leftovers:
    """Looks for what ended runs have left, and in turn for what that leaves, until there is none."""

    def __init__(self, loop: Loop, log: EventLog, tree: str, runs: Runs) -> None:
        self._loop = loop
        self._log = log
        self._tree = tree
        self._runs = runs
        self._endings = Endings(loop, log)
        self._newborns = Newborns(runs.open_births)
        self._ended: dict[str, dict[str, Any]] = {}
        """By run: the fields of its events; {} for a forkserver."""
        self._to_look_at: deque[int] = deque()
        self._look_again = self._hunting = False
        self._hunting_since = 0.0
        self._unreadable: set[int] = set()
        self._passes = 0
        self._unclean: dict[str, int] = {}
        """By run: the first look at all adopted children that may find it clean."""
        self._found: set[str] = set()
        """The runs of which the present look has found a process."""
        self.on_clean: Listeners[[str]] = Listeners()
        """Told of each ended run once no process of it is left."""
        self.on_found: Listeners[[str, str]] = Listeners()
        """Told, soon after, which run has left a process, and the process's name."""

    def end_run(self, run: str, pid: int, identity: dict[str, Any]) -> None:
        """End what the run, or the forkserver, of a process has left that was just reaped; its group was killed."""
        self._tell_group(pid, identity)
        self._ended[run] = identity
        self._unclean[run] = self._passes + 1
        self._look_again = True
        if not self._hunting:
            self._hunting, self._hunting_since = True, self._loop.clock.monotonic()
            self._loop.call_soon(self._hunt)

    @property
    def busy(self) -> bool:
        """Whether there may be leftovers that are worth waiting for."""
        return self._hunting and self._loop.clock.monotonic() - self._hunting_since < BUSY_S

    def stuck(self) -> Iterator[Leftover]:
        """Yield those that cannot be ended."""
        return self._endings.stuck()

    def _tell_group(self, group: int, identity: dict[str, Any]) -> None:
        """Name who was killed with the group of an ended process, if anybody was."""
        for pid in children() if is_group(group) else ():
            if (seen := look(pid)) is not None and seen.group == group and not self._runs.owns(pid):
                self._log.emit("leftover.ended", **identity, leftover_pid=pid, name=seen.name)
                self._tell_found(identity, seen.name)

    def _hunt(self) -> None:
        """Look once at all adopted children, and again until none of an ended run is left."""
        self._passes += 1
        self._found.clear()
        self._endings.look()
        adopted = [pid for pid in children() if not self._runs.owns(pid)]
        self._unreadable.intersection_update(adopted)
        self._to_look_at = deque(pid for pid in adopted if pid not in self._endings.left)
        self._look_again = False
        self._look_at_some()

    def _look_at_some(self) -> None:
        until = self._loop.clock.monotonic() + SHARE_S
        living = self._runs.living_runs()
        while self._to_look_at:
            self._loop.attempt(partial(self._judge, self._to_look_at.popleft(), living))
            if self._loop.clock.monotonic() >= until:
                self._loop.call_next(self._look_at_some)
                return
        self._tell_clean()
        self._hunting = self._look_again or bool(self._endings.left)
        if self._hunting:
            self._loop.call_in(self._endings.pause_s, self._hunt)
        else:
            self._ended.clear()

    def _tell_clean(self) -> None:
        left = self._found | {str(leftover.identity.get("run")) for leftover in self._endings.left.values()}
        for run in [run for run, since in self._unclean.items() if since <= self._passes and run not in left]:
            del self._unclean[run]
            self._loop.attempt(partial(self.on_clean, run))

    def _judge(self, pid: int, living: set[str]) -> None:
        seen = look(pid)
        if seen is None or seen.is_zombie or self._runs.owns(pid):
            self._newborns.forget(pid)
            return
        try:
            run = run_of(pid, self._tree)
        except PermissionError as error:
            self._tell_unreadable(pid, seen.name, error)
            run = None if os.getpid() == 1 else ""  # PID 1 adopts processes that need not be ours
        if run is None or run in living or (not run and living):
            return
        identity = self._ended.get(run, {})
        self._look_again = True
        self._found.add(run)
        if identity or not self._newborns.may_be(pid):  # a newborn carries its forkserver's mark
            self._endings.end(Leftover(pid, seen.started, seen.name, identity))
            self._tell_found(identity, seen.name)

    def _tell_found(self, identity: dict[str, Any], name: str) -> None:
        if "run" in identity:
            self._loop.call_soon(partial(self.on_found, str(identity["run"]), name))

    def _tell_unreadable(self, pid: int, name: str, error: PermissionError) -> None:
        if pid not in self._unreadable:
            self._unreadable.add(pid)
            reason = f"{error.strerror}: it runs as another user, and is let be until all jobs have ended"
            self._log.emit("leftover.unreadable", leftover_pid=pid, name=name, reason=reason)

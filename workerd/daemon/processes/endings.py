"""Ends processes that nobody supervises: by TERM, then by KILL; says which of them do not end, and why."""

import signal
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from workerd.daemon.io.log import EventLog
from workerd.daemon.io.loop import Loop

from .hold import describe_hold
from .proc import look
from .signals import send

GRACE_S = 2.0
"""From TERM to KILL."""
KILL_PATIENCE_S = 2.0
"""A process that is still there so long after KILL is stuck."""
POLL_S = 0.05
SLOW_POLL_S = 2.0
"""The pause between two looks whether a process has ended, and the one where only stuck processes are left."""


@dataclass(eq=False, slots=True)
class Leftover:
    """A process that a run has left; ``identity`` names the run, as far as it is known."""

    pid: int
    started: int
    name: str
    identity: dict[str, Any]
    asked_at: float = 0.0
    stuck: str = ""
    """Why it does not end; "" while it has its time."""


class Endings:
    """The leftovers that were asked to end and are still there, by pid."""

    def __init__(self, loop: Loop, log: EventLog) -> None:
        self._loop = loop
        self._log = log
        self.left: dict[int, Leftover] = {}

    def end(self, leftover: Leftover) -> None:
        """Ask a process to end, and say so."""
        self.left[leftover.pid] = leftover
        leftover.asked_at = self._loop.clock.monotonic()
        send(leftover.pid, signal.SIGTERM)
        self._log.emit("leftover.ended", **leftover.identity, leftover_pid=leftover.pid, name=leftover.name)

    def look(self) -> list[Leftover]:
        """Go on with each that is left; return those that have ended since."""
        gone = [leftover for leftover in self.left.values() if not self._is_there(leftover)]
        for leftover in gone:
            del self.left[leftover.pid]
        for leftover in self.left.values():
            self._insist(leftover)
        return gone

    @property
    def pause_s(self) -> float:
        """The seconds to wait before the next look."""
        return SLOW_POLL_S if self.left and not any(self.pending()) else POLL_S

    def pending(self) -> Iterator[Leftover]:
        """Yield those that still have their time."""
        return (leftover for leftover in self.left.values() if not leftover.stuck)

    def stuck(self) -> Iterator[Leftover]:
        """Yield those that do not end."""
        return (leftover for leftover in self.left.values() if leftover.stuck)

    def _is_there(self, leftover: Leftover) -> bool:
        seen = look(leftover.pid)
        return seen is not None and not seen.is_zombie and seen.started == leftover.started

    def _insist(self, leftover: Leftover) -> None:
        waited = self._loop.clock.monotonic() - leftover.asked_at
        if waited < GRACE_S or leftover.stuck:
            return
        refusal = send(leftover.pid, signal.SIGKILL)
        if waited >= GRACE_S + KILL_PATIENCE_S:
            leftover.stuck = refusal or describe_hold(leftover.pid) or "it does not end"
            who, reason = {"leftover_pid": leftover.pid, **leftover.identity}, leftover.stuck
            self._log.emit("leftover.stuck", **who, name=leftover.name, reason=reason)

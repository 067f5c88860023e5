"""What the daemon tells its ledger of seats: that it lives, who runs for which, what is free, and what it cannot run.

None of it is journalled: it means nothing to a later daemon. A new ledger is told all that still holds.
"""

import math
from collections.abc import Callable
from typing import Any

from workerd.daemon.io.listeners import Listeners
from workerd.daemon.io.loop import Loop, Timer
from workerd.daemon.processes.child import Child
from workerd.daemon.processes.proc import look
from workerd.daemon.rules.holdings import Holding
from workerd.wire.messages import Alive, Draining, Message, SeatDeclined, SeatReleased
from workerd.wire.reasons import public_part

from .declines import Declines
from .seats import Seats
from .slot_set import SlotSet

ALIVE_S = 1.0


class SeatNews:
    """Sends by ``send``, which drops a message where there is no ledger to take it."""

    def __init__(
        self, loop: Loop, slot_set: SlotSet, seats: Seats, declines: Declines, send: Callable[[Message], None]
    ) -> None:
        self._loop = loop
        self._slot_set = slot_set
        self._seats = seats
        self._declines = declines
        self._send = send
        self._pulse: Timer | None = None
        self._naming = False
        self.also_needed: Callable[[], bool] = bool
        """Whether the ledger has to hear from the daemon although there is no job of the fleet."""
        self.on_again: Listeners[[]] = Listeners()
        """Told each second, when all is said again that a ledger may have missed."""
        seats.on_licensed.add(self._name)
        seats.on_released.add(self._released)
        declines.on_changed.add(self._declined)
        slot_set.on_applied.add(lambda _: self.begin())

    def begin(self) -> None:
        """Say each second that the daemon turns, while there is a job of the fleet, or it has to be heard."""
        if self._pulse is None and self._has_any():
            self._beat()

    def tell_all(self) -> None:
        """Tell a new ledger all that it has to know."""
        if self._has_any():
            self._say_alive()
            self._say_again()

    def tell_draining(self) -> None:
        """Say whether this node gives its seats away."""
        if self._has_any():
            self._send(Draining(bool(self._seats.draining or self._seats.claims_none)))

    def _has_any(self) -> bool:
        needed = bool(self._seats.holdings) or self.also_needed()
        return needed or any(spec.is_fleet for spec in self._slot_set.specs.values())

    def _beat(self) -> None:
        self._pulse = None
        if self._has_any():
            self._say_alive()
            self._say_again()
            self._pulse = self._loop.call_in(ALIVE_S, self._beat)

    def _say_again(self) -> None:
        """Say what the ledger may have missed: another one had heard it, or its link was full."""
        for holding in self._seats.holdings:
            if holding.released:
                self._released(holding)
        for job_id, reason in self._declines.all():
            self._declined(job_id, reason)
        if self._seats.draining or self._seats.claims_none:
            self.tell_draining()
        self.on_again()

    def _name(self) -> None:
        """Name a new process in this turn: the ledger has to end it where the daemon stands still within the second."""
        if not self._naming:
            self._naming = True
            self._loop.call_soon(self._say_alive)

    def _say_alive(self) -> None:
        self._naming = False
        seats = [
            _describe(child, holding) for child, holding in self._seats.children.items() if _is_due(child, holding)
        ]
        self._send(Alive(self._loop.clock.boot(), seats))

    def _released(self, holding: Holding) -> None:
        job_id, index = holding.place
        if job_id is not None:
            self._send(SeatReleased(job_id, index, holding.token))

    def _declined(self, job_id: int, reason: str) -> None:
        self._send(SeatDeclined(job_id, reason, public_part(reason)))


def _is_due(child: Child, holding: Holding) -> bool:
    """Return whether the process has a deadline at which it has to be gone."""
    return not child.ended and child.pid is not None and holding.deadline < math.inf


def _describe(child: Child, holding: Holding) -> list[Any]:
    if not child.started and child.pid is not None and (seen := look(child.pid)) is not None:
        child.started = seen.started
    return [*holding.place, holding.token, child.pid, child.started, holding.deadline]

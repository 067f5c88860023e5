"""The deadlines of seats: asks a child to stop while no renewal comes, and has it killed before others may start one.

Looked at when they are due, and at the beginning of each turn: after a suspend nothing else comes first.
"""

import math
from collections.abc import Callable

from workerd.daemon.io.loop import Loop
from workerd.daemon.processes.child import Child
from workerd.daemon.rules.facts import Fact
from workerd.daemon.rules.holdings import Holding

from .agenda import Alarm
from .lifecycle import Lifecycle
from .seats import Seats
from .slot import slot_of
from .slot_set import SlotSet

ENDED = "its seat could not be renewed in time: another node may start it now"
LOST = "this node has lost its seat"


class SeatDeadlines:
    """Sleeps by a timer of the boot-time clock, which is made with the first seat."""

    def __init__(
        self,
        loop: Loop,
        lifecycle: Lifecycle,
        slot_set: SlotSet,
        seats: Seats,
        new_alarm: Callable[[Callable[[], None]], Alarm],
    ) -> None:
        self._loop = loop
        self._lifecycle = lifecycle
        self._slot_set = slot_set
        self._seats = seats
        self._new_alarm = new_alarm
        self._alarm: Alarm | None = None
        self._next = math.inf
        self._arming = False
        seats.on_changed.add(self.arm)

    def arm(self) -> None:
        """Arm the next deadline, once all that is done in this turn has been done, and tell each child its own."""
        if not self._arming:
            self._arming = True
            self._loop.call_soon(self._arm)

    def _arm(self) -> None:
        self._arming = False
        for child, holding in self._seats.children.items():
            if not child.buried:
                child.page.hold_until(holding.deadline)
        following = min(self._moments(), default=math.inf)
        if following == self._next:
            return
        self._next = following
        if self._alarm is None:
            self._alarm = self._new_alarm(self.look)
            self._loop.at_turn_begin(self.look)
        self._alarm.arm(None if following == math.inf else following)

    def look(self) -> None:
        """Do what is due; costs one look at the clock where nothing is."""
        now = self._loop.clock.boot()
        if now < self._next:
            return
        for child, holding in tuple(self._seats.children.items()):
            if not child.ended and not child.seat_ended and holding.deadline <= now:
                self._end(child, holding)
        for holding in self._seats.holdings:
            if self._ask_at(holding) <= now:
                self._seats.doubt(holding)
        self._next = -math.inf  # another moment than before, also where it is the same
        self._arm()

    def _end(self, child: Child, holding: Holding) -> None:
        child.seat_ended = ENDED if math.isinf(holding.ended_by) else LOST
        slot = slot_of(child)
        if slot is not None:
            self._lifecycle.apply(slot, Fact.LEASE_ENDED)
        if not child.killed:
            child.kill(self._seats.log, child.seat_ended)

    def _moments(self) -> list[float]:
        ends = [
            seat.deadline for child, seat in self._seats.children.items() if not child.ended and not child.seat_ended
        ]
        return [*ends, *(self._ask_at(holding) for holding in self._seats.holdings)]

    def _ask_at(self, holding: Holding) -> float:
        """Return when the place's slot is asked to stop.

        One that waits for its time has the seat to the end: what is due from then on, another node may account for.
        """
        slot = self._slot_set.at(holding.place)
        if slot is None or slot.seat is not holding:
            return math.inf
        rests = slot.runs_at_times and not slot.is_alive
        return holding.deadline if rests else holding.ask_at(slot.spec.stop_timeout)

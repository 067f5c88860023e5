"""The due moments of scheduled seats, which the fleet remembers: whoever has a seat next goes on from there."""

from collections.abc import Callable

from workerd.daemon.io.loop import Loop
from workerd.daemon.rules.dues import BEFORE_S, Due, Remembered
from workerd.daemon.rules.holdings import Holding, Place
from workerd.wire.messages import Message, SeatNoted, SeatRemembered, SeatSettled
from workerd.wire.words import Trigger

from .due_calendar import Calendar
from .lifecycle import Lifecycle
from .rows import rule_text
from .seats import Seats
from .slot import LiveSlot
from .slot_set import SlotSet


class SeatDues:
    """Tells the ledger what became of a seat's due moments, and holds a run back until its seat's row has it.

    With the database out nothing can be noted: a run starts all the same while the seat is provably held.
    """

    def __init__(  # noqa: PLR0917 - the parts that it ties together
        self,
        loop: Loop,
        lifecycle: Lifecycle,
        slot_set: SlotSet,
        seats: Seats,
        calendar: Calendar,
        send: Callable[[Message], None],
        is_out: Callable[[], bool],
    ) -> None:
        """``is_out`` says whether the database is known to be out."""
        self._loop = loop
        self._slot_set = slot_set
        self._seats = seats
        self._calendar = calendar
        self._send = send
        self._is_out = is_out
        self._told: dict[Place, tuple[int, Remembered]] = {}
        self._noted: dict[Place, tuple[int, float]] = {}
        """By place: up to which moment the seat's row has it, for a token."""
        self._changed: dict[LiveSlot, None] = {}
        lifecycle.on_changed.add(self._slot_changed)
        seats.on_released.add(self._released)

    def remember(self, left: SeatRemembered) -> None:
        """Take what the holder before has left; of a seat that is held already this node knows it best."""
        holding = self._seats.holdings.get((left.job_id, left.index))
        if holding is None or holding.token != left.token:
            memory = Remembered(left.rule, left.settled, left.due, left.last_success)
            self._calendar.remember_seat(left.job_id, left.index, memory)

    def note(self, noted: SeatNoted) -> None:
        """Take that the seat's row has what it was told."""
        self._noted[noted.job_id, noted.index] = noted.token, noted.settled or 0.0

    def is_noted(self, slot: LiveSlot, due: Due) -> bool:
        """Return whether the slot may run for ``due`` as far as the fleet is to know of it; tell it where it is."""
        if not slot.spec.is_fleet or slot.seat is None or due.trigger == Trigger.OPERATOR or self._is_out():
            return True
        token, settled = self._noted.get(slot.seat.place, (0, 0.0))
        if token == slot.seat.token and settled >= due.moment - BEFORE_S:
            return True
        self._tell(slot, slot.seat)
        return False

    def tell_all(self) -> None:
        """Tell a new ledger what the one before may not have written."""
        self._told.clear()
        for holding in self._seats.holdings:
            slot = self._slot_set.at(holding.place)
            if slot is not None:
                self._tell(slot, holding)

    def _slot_changed(self, slot: LiveSlot) -> None:
        if slot.seat is not None and slot.dues is not None:
            if not self._changed:
                self._loop.call_soon(self._tell_changed)
            self._changed[slot] = None

    def _tell_changed(self) -> None:
        changed, self._changed = self._changed, {}
        for slot in changed:
            if slot.seat is not None:
                self._tell(slot, slot.seat)

    def _released(self, holding: Holding) -> None:
        """Write down where the seat stands before another node may have it."""
        slot = self._slot_set.at(holding.place)
        if slot is not None:
            self._tell(slot, holding)
        self._told.pop(holding.place, None)
        self._noted.pop(holding.place, None)

    def _tell(self, slot: LiveSlot, holding: Holding) -> None:
        job_id, index = holding.place
        memory = memory_of(slot)
        if job_id is None or memory is None or self._told.get(holding.place) == (holding.token, memory):
            return
        self._told[holding.place] = holding.token, memory
        self._send(SeatSettled(job_id, index, holding.token, *memory))


def memory_of(slot: LiveSlot) -> Remembered | None:
    """Return what the fleet is to remember of the slot; None where its job has no schedule."""
    dues = slot.dues
    if dues is None or not slot.spec.schedule:
        return None
    if dues.left is not None:
        return dues.left
    due = dues.taken.moment if dues.taken is not None else None
    return Remembered(rule_text(slot.spec), dues.settled, due, dues.last_success)

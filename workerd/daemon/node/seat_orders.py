"""Orders for slots of the fleet: a stop holds in the whole fleet, and what runs elsewhere is ordered there."""

from collections.abc import Collection, Sequence

from workerd.daemon.rules.holdings import Place
from workerd.daemon.slots.slot import LiveSlot
from workerd.daemon.slots.slot_set import SlotSet
from workerd.wire.messages import Message, PassedOn, PassOn, SeatsStopped, StopSeats
from workerd.wire.reasons import Reason, say

from .fleet import Fleet
from .order import Order, SlotAnswer

AT_ONCE = 200
IN_FLEET = ("stop", "start")
"""The verbs that hold in the whole fleet, whichever node takes the order."""
NAME_IT = Reason("it goes on: name it to stop it in the whole fleet, or drain this node")
NOT_WRITTEN = Reason("the database has not taken the order, so that it is not done in the fleet")


class SeatOrders:
    """Asks the ledger, in one message for all slots of an order, and answers for each slot when the ledger has."""

    def __init__(self, fleet: Fleet, slot_set: SlotSet) -> None:
        self._fleet = fleet
        self._slot_set = slot_set
        self._asked: dict[tuple[str, Place], list[tuple[Order, LiveSlot]]] = {}
        """By verb and place: who waits for the ledger's word."""
        fleet.on_answer.add(self._heard)

    def answered_here(self, slots: Sequence[LiveSlot]) -> set[LiveSlot]:
        """Return the slots that this node answers for: of a job that it runs, those that run elsewhere are not."""
        having = {slot.spec.name for slot in slots if slot.seat is not None}
        return {
            slot for slot in slots if not slot.spec.is_fleet or slot.seat is not None or slot.spec.name not in having
        }

    def begin(self, order: Order, slot: LiveSlot) -> bool:
        """Deal with a slot of the fleet; return False where the order is for this node's process alone."""
        if order.verb == "start" and not slot.spec.enabled:
            return False
        if order.everyone and order.verb in IN_FLEET:
            return self._pass_over(order, slot)
        if order.verb in IN_FLEET:
            if order.verb == "start":
                slot.held = False
                self._fleet.declines.take_back(slot.spec)
            self._wait(order, slot)
            return order.verb == "stop" or slot.seat is None
        if order.verb == "resume" and self._fleet.seats.why_declined(slot):
            self._fleet.declines.take_back(slot.spec)
            _answer(order, slot, Reason("this node may run it again"), ok=True)
            return True
        if slot.seat is not None:
            return False
        if order.everyone or not order.passes_on:
            _answer(order, slot, self._elsewhere(slot), ok=order.everyone)
        else:
            self._wait(order, slot)
        return True

    def _pass_over(self, order: Order, slot: LiveSlot) -> bool:
        """Leave the whole fleet as it is where an order is for all slots of this node; a start is for what is here."""
        if order.verb == "start" and slot.seat is not None:
            return False
        _answer(order, slot, NAME_IT if order.verb == "stop" else self._elsewhere(slot), ok=True)
        return True

    def send(self, order: Order, slots: Collection[LiveSlot]) -> None:
        """Ask the ledger for what the order means for these slots beyond this node."""
        if order.everyone:
            return
        refused = {slot for slot in slots if order.verb == "start" and not slot.spec.enabled}
        places = [[*_place(slot)] for slot in slots if slot.spec.is_fleet and slot not in refused]
        for start in range(0, len(places), AT_ONCE):
            some = places[start : start + AT_ONCE]
            if order.verb in IN_FLEET:
                self._fleet.tell(StopSeats(some, order.by if order.verb == "stop" else ""))
            else:
                self._fleet.tell(PassOn(order.verb, some, order.by))

    def release(self, slot: LiveSlot, reason: str) -> None:
        """Have another node run the slot."""
        self._fleet.seats.give_up(slot, reason)

    def forget(self, order: Order) -> None:
        """Answer no more for an order that has been answered."""
        self._asked = self._asked and {
            key: left
            for key, waiting in self._asked.items()
            if (left := [(known, slot) for known, slot in waiting if known is not order])
        }

    def _wait(self, order: Order, slot: LiveSlot) -> None:
        order.unconfirmed.add(slot)
        self._asked.setdefault((order.verb, _place(slot)), []).append((order, slot))

    def _heard(self, message: Message) -> None:
        match message:
            case SeatsStopped():
                self._stopped(message)
            case PassedOn():
                for job_id, index, node in message.seats:
                    for order, slot in self._asked.pop((message.verb, (job_id, index)), ()):
                        text = Reason(f"passed on to {node}, which has it") if node else self._elsewhere(slot)
                        _answer(order, slot, text, ok=bool(node))

    def _stopped(self, message: SeatsStopped) -> None:
        """Have the processes end that a stop in the fleet is for, and answer for those that are not here."""
        verb, why = "stop" if message.stopped_by else "start", Reason(f"stopped in the fleet by {message.stopped_by}")
        for job_id, index in message.seats:
            place = (job_id, index)
            slot = self._slot_set.at(place)
            was_here = slot is not None and slot.seat is not None
            if slot is not None and message.stopped_by:
                self._fleet.seats.give_up(slot, why)
            for order, waiting in self._asked.pop((verb, place), ()):
                order.unconfirmed.discard(waiting)
                if not was_here:
                    done = why if message.stopped_by else Reason("started in the fleet")
                    _answer(order, waiting, say("", done, Reason("; "), self._elsewhere(waiting)), ok=True)

    def _elsewhere(self, slot: LiveSlot) -> str:
        return slot.seat_reason or Reason("this node does not have its seat")


def _answer(order: Order, slot: LiveSlot, text: str, *, ok: bool) -> None:
    order.unconfirmed.discard(slot)
    order.waiting.pop(slot, None)
    order.answers.append(SlotAnswer(slot.name, ok=ok, text=text))


def _place(slot: LiveSlot) -> Place:
    return slot.spec.id, slot.index

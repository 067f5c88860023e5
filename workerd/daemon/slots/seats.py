"""The seats of the fleet on this node: a slot with one is wanted, without it is not; what is unused is released.

Everything follows from ``settle``, which looks at one place as it is now: it is asked after each change.
"""

from collections.abc import Callable, Iterable
from typing import Any

from workerd.daemon.io.listeners import Listeners
from workerd.daemon.io.log import EventLog
from workerd.daemon.processes.child import Child
from workerd.daemon.rules.clock import Clock
from workerd.daemon.rules.holdings import Change, Holding, Holdings, Place
from workerd.wire.reasons import Reason, say
from workerd.wire.words import WithoutDatabase

from .lifecycle import Lifecycle
from .slot import LiveSlot
from .slot_set import SlotSet

GRANTED = Reason("this node has its seat")
LOST = Reason("this node has lost its seat")
ANEW = Reason("its seat was claimed anew")
IN_DOUBT = Reason("its seat could not be renewed in time: another node may have it soon")
UNKNOWN = Reason("waiting for a seat of the fleet")
TOO_LITTLE_LEFT = Reason("waits until its seat is renewed: too little is left of it for a start")


class Seats:
    """Takes what the ledger says is held; ``holdings`` is all of it, ``children`` are those that run for a seat."""

    def __init__(self, clock: Clock, log: EventLog, lifecycle: Lifecycle, slot_set: SlotSet) -> None:
        self._clock = clock
        self.log = log
        self._lifecycle = lifecycle
        self._slot_set = slot_set
        self.holdings = Holdings()
        self.children: dict[Child, Holding] = {}
        """Those with a licence for a seat that are not reaped yet."""
        self._newest: dict[Place, Child] = {}
        """By place: who got the last licence."""
        self._runs: dict[str, Place] = {}
        """By run: the place of which a process may be left."""
        self.draining: str = ""
        """Why this node gives its seats away; "" while it does not."""
        self.claims_none: str = ""
        """Why the ledger is to claim no seat, while those that are held stay; "" where it may."""
        self.is_told: Callable[[], bool] = bool
        """Whether a ledger has told every job: until then a place without a slot may get one."""
        self.why_elsewhere: Callable[[Place], str] = lambda _: ""
        """Returns why this node does not have a seat, as the ledger has said it."""
        self.why_declined: Callable[[LiveSlot], str] = lambda _: ""
        """Returns why this node cannot run the slot's job, "" where it can."""
        self.has_holder: Callable[[LiveSlot], bool] = lambda _: False
        """Whether another node has the slot's seat, as the ledger has said it."""
        self.on_changed: Listeners[[]] = Listeners()
        """Told after what is held, or who runs for it, may have changed."""
        self.on_licensed: Listeners[[]] = Listeners()
        """Told of each process that runs for a seat, just before it does."""
        self.on_lost: Listeners[[LiveSlot]] = Listeners()
        """Told of each slot whose seat the database no longer has as this node's."""
        self.on_released: Listeners[[Holding]] = Listeners()
        """Told of each seat that another node may have at once."""
        slot_set.seat_of = self.seat_of
        lifecycle.on_changed.add(self._slot_changed)

    # news from the ledger

    def take(self, sent: float, seats: list[list[Any]], *, whole: bool) -> None:
        """Take the seats that a statement has found, which was sent at ``sent`` (boot-time seconds)."""
        now = self._clock.boot()
        for change in self.holdings.take(sent, seats, whole=whole):
            if change.now is not None and change.now.deadline <= now:  # the daemon, or its ledger, has stood still
                change.now.in_doubt = True
            self._follow(change)
        self.on_changed()

    def _follow(self, change: Change) -> None:
        if change.lost is not None:
            change.lost.lose(self._clock.boot())
        slot = self._slot_set.at(change.place)
        self._say(change, slot.place if slot is not None else {})
        if slot is not None and change.lost is not None and not change.lost.released:
            self.on_lost(slot)
        if slot is not None and change.now is not None and change.is_new:
            change.now.given_up = self.why_declined(slot)
        self.settle(change.place)

    def _say(self, change: Change, where: dict[str, Any]) -> None:
        """Log what has become of the seat."""
        lost, now = change.lost, change.now
        if lost is not None and not lost.released:
            self.log.emit("seat.lost", **where, token=lost.token)
        if now is not None and change.is_new and now.taken_from:
            self.log.emit("seat.taken_over", **where, token=now.token, taken_from=now.taken_from)
        elif now is not None and change.is_new:
            self.log.emit("seat.taken", **where, token=now.token)

    # effects of the news

    def settle(self, place: Place) -> None:
        """Have the place's slot run, or not, and its seat released, as all stands now."""
        holding, slot = self.holdings.get(place), self._slot_set.at(place)
        if slot is not None:
            self._seat(slot, holding)
        if holding is not None and self._may_release(holding, slot):
            holding.released = True
            self.log.emit("seat.released", **(slot.place if slot is not None else {}), token=holding.token)
            self.on_released(holding)

    def settle_all(self, places: Iterable[Place]) -> None:
        """Settle each of these places."""
        for place in tuple(places):
            self.settle(place)

    def seat_of(self, slot: LiveSlot) -> Holding | None:
        """Return the seat that the slot may use."""
        if not slot.spec.is_fleet:
            return None
        place = slot.spec.id, slot.index
        holding = self.holdings.get(place)
        if holding is not None:
            holding.goes_on = slot.spec.without_database == WithoutDatabase.GO_ON
        return holding if holding is not None and self._serves(holding, slot) else None

    def give_up(self, slot: LiveSlot, reason: str) -> None:
        """Have another node run the slot: it ends here, and its seat is released once no process of it is left."""
        holding = self.holdings.get((slot.spec.id, slot.index))
        if holding is not None and not holding.given_up:
            holding.given_up = reason
            self.settle(holding.place)

    def drain(self, reason: str) -> None:
        """Give every seat away for this ``reason``; "" takes new ones again."""
        self.draining = reason
        self.settle_all(holding.place for holding in self.holdings)
        self.on_changed()

    @property
    def is_releasing(self) -> bool:
        """Whether a seat will be released as soon as no process of it is left."""
        return any(
            not holding.released and self._is_unwanted(holding, self._slot_set.at(holding.place))
            for holding in self.holdings
        )

    def doubt(self, holding: Holding) -> None:
        """Have the seat's process end, as no renewal has come for too long; one that comes now starts it again."""
        holding.in_doubt = True
        self.settle(holding.place)

    def obstacle(self, slot: LiveSlot) -> str:
        """Return why its seat lets no process start for the slot now, or ""."""
        if not slot.spec.is_fleet or slot.builtin:
            return ""
        if slot.seat is None:
            return UNKNOWN
        return "" if slot.seat.may_start(self._clock.boot()) else TOO_LITTLE_LEFT

    def license(self, slot: LiveSlot, child: Child) -> None:
        """Note that ``child`` runs for the slot's seat, just before it gets its licence."""
        if slot.seat is not None:
            child.seat = self.children[child] = slot.seat
            child.page.hold_until(slot.seat.deadline)
            self._newest[slot.seat.place] = child
            self._runs[child.run] = slot.seat.place
            self.on_licensed()
            self.on_changed()

    def run_is_clean(self, run: str) -> None:
        """Note that no process of a run is left."""
        place = self._runs.pop(run, None)
        if place is not None:
            self.children = {child: seat for child, seat in self.children.items() if not child.ended}
            if self._newest[place].ended:
                del self._newest[place]
            self.settle(place)

    # one place

    def _seat(self, slot: LiveSlot, holding: Holding | None) -> None:
        seat = self.seat_of(slot)
        self._explain(slot, holding, seat)
        if slot.seat is seat:
            return
        was, slot.seat = slot.seat, None
        if was is not None:
            self._lifecycle.want(slot, slot.wished, ANEW if seat is not None else Reason(slot.seat_reason))
        if seat is not None:
            slot.seat = seat
            self._lifecycle.want(slot, slot.wished, ANEW if was is not None else GRANTED)
        self._slot_set.note_change(slot)

    def _explain(self, slot: LiveSlot, holding: Holding | None, seat: Holding | None) -> None:
        is_fine = seat is not None or not slot.spec.is_fleet
        reason = "" if is_fine else self._why(slot, holding)
        parked = not is_fine and bool(self.why_declined(slot)) and not self.has_holder(slot)
        if (slot.seat_reason, slot.parked_in_fleet) != (reason, parked):
            slot.seat_reason, slot.parked_in_fleet = reason, parked
            self._slot_set.note_change(slot)

    def _why(self, slot: LiveSlot, holding: Holding | None) -> str:
        elsewhere, declined = self.why_elsewhere(_place(slot)), self.why_declined(slot)
        if holding is not None and holding.in_doubt:
            return IN_DOUBT
        if declined:
            return say("cannot run here: ", declined, say("; ", elsewhere) if elsewhere else "")
        given_up = holding.given_up if holding is not None else ""
        return given_up or self.draining or elsewhere or (LOST if slot.seat is not None else UNKNOWN)

    def _serves(self, holding: Holding, slot: LiveSlot) -> bool:
        """Return whether the slot may use the seat: nobody else does, and this node keeps it."""
        if holding.released or holding.in_doubt or holding.given_up or self.draining:
            return False
        newest = self._newest.get(holding.place)
        return newest is None or newest.ended or newest.owner is slot

    def _may_release(self, holding: Holding, slot: LiveSlot | None) -> bool:
        unwanted = not holding.released and self._is_unwanted(holding, slot)
        return unwanted and holding.place not in self._runs.values()

    def _is_unwanted(self, holding: Holding, slot: LiveSlot | None) -> bool:
        if holding.given_up or self.draining:
            return True
        return self.is_told() if slot is None else not (slot.is_meant and slot.spec.is_fleet)

    def _slot_changed(self, slot: LiveSlot) -> None:
        child = slot.child
        if slot.spec.is_fleet or slot.seat is not None or (child is not None and child.seat is not None):
            if slot.unkillable and child is not None and child.seat is not None and not child.seat.kept:
                self._keep(slot, child.seat)
            self.settle(_place(slot))
            self.on_changed()

    def _keep(self, slot: LiveSlot, holding: Holding) -> None:
        """Say once that a seat is not released, as a process of it cannot be killed; renewals keep it from others."""
        holding.kept = True
        holding.given_up = Reason("a process of it cannot be killed: its seat is released once that has ended")
        reason = f"the seat {slot.name} is not released while its process cannot be killed"
        self.log.emit("seat.kept", **slot.identity, reason=reason)


def _place(slot: LiveSlot) -> Place:
    return slot.spec.id, slot.index

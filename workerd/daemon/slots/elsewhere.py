"""The seats that this node does not have, as the ledger tells of them: who has them, if anybody, and since when."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from workerd.daemon.rules.clock import Clock
from workerd.daemon.rules.holdings import Place
from workerd.wire.lease import longest_gap
from workerd.wire.reasons import Reason, say
from workerd.wire.words import Elsewhere

from .lifecycle import Lifecycle
from .seats import Seats
from .slot import LiveSlot
from .slot_set import SlotSet


class Word(NamedTuple):
    """The ledger's word on one seat; it stands ``since`` a monotonic time."""

    reason: Reason
    who: str
    since: float


class SeatsOfOthers:
    """Gives each slot without a seat the reason for that, and knows which seats nobody has for too long."""

    def __init__(self, clock: Clock, lifecycle: Lifecycle, slot_set: SlotSet, seats: Seats) -> None:
        self._clock = clock
        self._lifecycle = lifecycle
        self._slot_set = slot_set
        self._seats = seats
        self._words: dict[Place, Word] = {}
        seats.why_elsewhere, seats.has_holder = self.reason, self.has_holder

    def take(self, seats: list[list[Any]]) -> None:
        """Take what the ledger says anew."""
        now = self._clock.monotonic()
        for job_id, index, reason, *who in seats:
            place, known = (job_id, index), self._words.get((job_id, index))
            word = Word(Reason(reason), who[0] if who else Elsewhere.HELD, now)
            self._words[place] = word if known is None or known.who != word.who else word._replace(since=known.since)
            slot = self._slot_set.at(place)
            if slot is not None:
                self._seats.settle(place)
                self._lifecycle.on_changed(slot)  # others may have waited for it to run somewhere
        for place in [place for place in self._words if self._slot_set.at(place) is None]:
            del self._words[place]

    def reason(self, place: Place) -> str:
        """Return why this node does not have a seat; "" where the ledger has not said."""
        word = self._words.get(place)
        return word.reason if word is not None else ""

    def has_holder(self, slot: LiveSlot) -> bool:
        """Return whether another node has the slot's seat."""
        word = self._words.get((slot.spec.id, slot.index))
        return word is not None and word.who == Elsewhere.HELD

    def missed(self) -> Iterator[tuple[LiveSlot, Reason]]:
        """Yield the slots whose seat no node has, for longer than it takes one of those that may run them."""
        return self._waiting(Elsewhere.FREE)

    def untaken(self) -> Iterator[tuple[LiveSlot, Reason]]:
        """Yield those, and the slots for as long that no node may run, by its labels or as each refuses the job."""
        yield from self._waiting(Elsewhere.FREE, Elsewhere.NOWHERE)
        now = self._clock.monotonic()
        for slot in self._slot_set.job_slots():
            is_refused = slot.waits_for_seat and slot.parked_in_fleet
            if is_refused and now - slot.since > longest_gap(slot.spec.takeover_after):
                yield slot, say("", slot.seat_reason)

    def _waiting(self, *whose: str) -> Iterator[tuple[LiveSlot, Reason]]:
        now = self._clock.monotonic()
        for place, word in self._words.items():
            slot = self._slot_set.at(place)
            if slot is None or not slot.waits_for_seat or word.who not in whose:
                continue
            if now - word.since > longest_gap(slot.spec.takeover_after):
                yield slot, say("", word.reason or Reason("no node has its seat"))

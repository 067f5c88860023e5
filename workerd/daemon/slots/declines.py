"""The jobs of the fleet that this node cannot run, and why: it claims no seat of theirs, so that other nodes do."""

from collections.abc import Iterator

from workerd.daemon.io.listeners import Listeners
from workerd.wire.reasons import Reason, say
from workerd.wire.spec import JobSpec

from .lifecycle import Lifecycle
from .seats import Seats
from .slot import LiveSlot
from .slot_set import SlotSet

STOPPED_HERE = Reason("an operator has stopped it on this node")


class Declines:
    """A job is declined while its row cannot run here, or a slot of it was parked or stopped by an operator here.

    A slot that parks gives up its seat, so that another node tries; an edit, a resume or newer code takes that back.
    """

    def __init__(self, lifecycle: Lifecycle, slot_set: SlotSet, seats: Seats) -> None:
        self._lifecycle = lifecycle
        self._slot_set = slot_set
        self._seats = seats
        self._parked: dict[int, str] = {}
        """By the id of the job's row: why a slot of it was parked."""
        self._declined: dict[int, str] = {}
        self.on_changed: Listeners[[int, str]] = Listeners()
        """Told of a job's id and the reason, "" where the job can run here again."""
        seats.why_declined = lambda slot: self._declined.get(slot.spec.id or 0, "")
        lifecycle.on_changed.add(self._slot_changed)
        slot_set.on_applied.add(self._applied)

    def all(self) -> Iterator[tuple[int, str]]:
        """Yield the id of each job that is declined now, with the reason."""
        return iter(tuple(self._declined.items()))

    def take_back(self, spec: JobSpec) -> None:
        """Try the job again, as something about it has changed."""
        if spec.id is not None:
            self._parked.pop(spec.id, None)
            self.review(spec)

    def take_all_back(self) -> None:
        """Try every job again, as there is newer code."""
        self._parked.clear()
        for job_id, _ in self.all():
            self._review_id(job_id)

    def review(self, spec: JobSpec) -> None:
        """Say what has changed of whether the job can run here."""
        if spec.id is None:
            return
        reason = self._why(spec) if spec.is_fleet and self._slot_set.specs.get(spec.name) is spec else ""
        if reason == self._declined.get(spec.id, ""):
            return
        if reason:
            self._declined[spec.id] = reason
            self._say_refused(spec)
        else:
            del self._declined[spec.id]
        self.on_changed(spec.id, reason)
        self._seats.settle_all((spec.id, index) for index in range(spec.processes))

    def _say_refused(self, spec: JobSpec) -> None:
        """Log that the row cannot run here; a slot that has a seat parks, and says it itself."""
        problem = self._lifecycle.problems.get(spec.name, "")
        if problem and not any(slot.seat is not None for slot in self._slot_set.slots_of(spec.name)):
            self._seats.log.emit("job.refused", job=spec.name, reason=problem)

    def _review_id(self, job_id: int) -> None:
        slot = self._slot_set.at((job_id, 0))
        if slot is not None:
            self.review(slot.spec)

    def _why(self, spec: JobSpec) -> str:
        problem = self._lifecycle.problems.get(spec.name, "") or self._parked.get(spec.id or 0, "")
        held = any(slot.held for slot in self._slot_set.slots_of(spec.name))
        return problem or (STOPPED_HERE if held else "")

    def _applied(self, spec: JobSpec) -> None:
        if spec.is_fleet or spec.id in self._declined:
            self.take_back(spec)

    def _slot_changed(self, slot: LiveSlot) -> None:
        if not slot.spec.is_fleet or slot.spec.id is None or slot.doomed:
            return
        if slot.is_parked and slot.wanted:
            self._parked[slot.spec.id] = say("", slot.reason)
            self.review(slot.spec)
            self._seats.give_up(slot, say("it cannot run here: ", slot.reason))
        else:
            self.review(slot.spec)

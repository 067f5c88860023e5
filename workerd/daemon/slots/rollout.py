"""Moves the slots to another generation: the ledger first, then a few slots of jobs at a time, until one fails."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from workerd.daemon.io.listeners import Listeners
from workerd.daemon.io.log import EventLog
from workerd.daemon.io.loop import Loop, Timer
from workerd.daemon.processes.births import Births
from workerd.daemon.processes.child import Child
from workerd.daemon.processes.generations import Generations
from workerd.daemon.rules.facts import Fact
from workerd.daemon.rules.restart import EndedRun, is_failure
from workerd.wire.reasons import Reason, say
from workerd.wire.start_order import groups_in_order

from .exits import Exits
from .lifecycle import Lifecycle
from .slot import LiveSlot
from .slot_set import SlotSet

LEDGER_NAME = "workerd.ledger"
"""The slot that moves first, before any of a job: with the new code it judges the rows anew."""
PROOF_S = 0.5
"""A moved slot is watched for at least this long after it is ready, also where its ``start_grace`` is shorter."""
PATIENCE_S = 60.0
"""A rollout that gets no further for this long, beside the time that its slots may take, is halted."""


class RolloutEnd(NamedTuple):
    """The end of a rollout: why it was ``halted``, or "", and the ``lagging`` slots, which should run and do not."""

    generation: int
    halted: str
    moved: int
    total: int
    lagging: tuple[LiveSlot, ...]


@dataclass(slots=True)
class Move:
    """A slot on its way. It ``proves`` the new code only if it ran well on the code before."""

    proves: bool
    seen_since: float = -1.0


@dataclass(eq=False, slots=True)
class Rollout:
    """Restarts slot after slot with the newest code; those that have not moved are restarted with the former.

    Halts at the first slot that fails by itself before it has proved itself. No slot is stopped while no process could
    be started for it. No two slots of a job are on their way together, and none together with a job that it starts
    after, which moves first; unless all slots may be.
    """

    loop: Loop
    log: EventLog
    lifecycle: Lifecycle
    slot_set: SlotSet
    generations: Generations
    births: Births[LiveSlot]
    exits: Exits
    max_unavailable: int | None
    rows_are_judged: Callable[[], bool] = bool
    """Whether the ledger has said which rows its code refuses: a job that only the new code has is no lagging one."""
    seat_obstacle: Callable[[LiveSlot], str] = lambda _: ""
    """Returns why its seat lets no process start for a slot, so that none is stopped now."""
    under_way: bool = False
    halted: str = ""
    """Why the rollout goes no further until an operator decides; "" where it does."""
    generation: int = 0
    """The generation that the slots move to."""
    _boundary: int = 0
    """The first generation of the new code: a crashed forkserver comes back with a higher number."""
    _backward: bool = False
    _insisting: bool = False
    _ranks: dict[str, int] = field(default_factory=dict)
    """By job: its place in the order of ``starts_after``."""
    _moved: set[LiveSlot] = field(default_factory=set)
    _moving: dict[LiveSlot, Move] = field(default_factory=dict)
    _failed: set[LiveSlot] = field(default_factory=set)
    """The slots that failed with the newest code, and ran well before."""
    _overdue: Timer | None = None
    _on_end: list[Callable[[RolloutEnd], None]] = field(default_factory=list)
    on_any_end: Listeners[[RolloutEnd]] = field(default_factory=Listeners)
    """Told of the end of each rollout, and of each that is halted."""

    def __post_init__(self) -> None:
        self.births.keeps_former = self._keeps_former
        self.exits.on_ended.add(self._run_ended)

    # requests

    def start(self) -> None:
        """Move every slot to the generation that has just become the newest."""
        assert self.generations.current is not None
        self._boundary = self.generations.current.generation
        first = [*self._moving, *self._failed]
        self._begin(backward=False, insisting=False)
        for slot in first:
            self._move(slot)

    def go_back(self) -> None:
        """Move every slot back to the former generation."""
        self.generations.go_back()
        self._begin(backward=True, insisting=True)

    def insist(self) -> None:
        """Go on with a halted rollout, whatever fails from now on."""
        self.halted, self._insisting, self.under_way = "", True, True
        self._be_patient()

    def when_ended(self, call: Callable[[RolloutEnd], None]) -> None:
        """Call ``call`` once, when the rollout has come to its end or is halted."""
        self._on_end.append(call)

    def go_on(self) -> None:
        """Restart the next slots, at the end of a turn, if enough of those before have arrived."""
        if not self.under_way:
            return
        if self.lifecycle.stopping:
            self._end(Reason("the daemon is stopping"))
            return
        for slot, move in tuple(self._moving.items()):
            if self._has_arrived(slot, move):
                del self._moving[slot]
                self._be_patient()
        while not self.generations.obstacle() and (following := self._next()) is not None:
            self._move(following)
        if not self._moving and not any(self._left()):
            self._finish()

    def count(self) -> tuple[int, int]:
        """Return how many slots of jobs run the generation, and how many should."""
        slots = self.slot_set.job_slots()
        wanted = [slot for slot in slots if slot.wanted and not slot.is_done and not slot.runs_at_times]
        return sum(self._runs_it(slot) for slot in wanted), len(wanted)

    def finishing(self) -> list[LiveSlot]:
        """Return the slots whose run for a due moment ends with the code that it began with."""
        return [slot for slot in self.slot_set.job_slots() if self._finishes(slot)]

    # moving

    def _begin(self, *, backward: bool, insisting: bool) -> None:
        assert self.generations.current is not None
        self.generation = self.generations.current.generation
        self._backward, self._insisting = backward, insisting
        self.under_way, self.halted = True, ""
        graph = {slot.spec.name: slot.spec.starts_after for slot in self.slot_set.job_slots()}
        self._ranks = {name: rank for rank, group in enumerate(groups_in_order(graph)) for name in group}
        self._moved.clear()
        self._moving.clear()
        self._be_patient()

    def _left(self) -> Iterator[LiveSlot]:
        """Yield the slots that have not been moved yet; the daemon's own come first, but for those without code."""
        last = len(self._ranks)
        slots = sorted(self.slot_set.job_slots(), key=lambda slot: self._ranks.get(slot.spec.name, last))
        slots = [*self.slot_set.builtins(), *slots]
        return (slot for slot in slots if slot not in self._moved and slot.program is None)

    def _goes_along(self, slot: LiveSlot) -> bool:
        """Return whether nothing waits for the slot to arrive: of the daemon's own, the ledger's move alone counts."""
        return slot.builtin and slot.spec.name != LEDGER_NAME

    def _next(self) -> LiveSlot | None:
        """Return the slot that may be moved now."""
        total = sum(1 for _ in self.slot_set.job_slots())
        limit = self.max_unavailable or max(1, total // 10)
        if len(self._moving) >= limit or any(slot.builtin for slot in self._moving):
            return None
        jobs = set() if limit >= total else {slot.spec.name for slot in self._moving}
        return next((slot for slot in self._left() if self._may_move(slot, jobs)), None)

    def _may_move(self, slot: LiveSlot, jobs: set[str]) -> bool:
        waits_for_others = not jobs.isdisjoint((slot.spec.name, *slot.spec.starts_after))
        return not waits_for_others and not (slot.is_alive and self.seat_obstacle(slot))

    def _move(self, slot: LiveSlot) -> None:
        """Have the slot's next process run the code of the generation, and its present one end."""
        failed = slot in self._failed
        self._moved.add(slot)
        self._failed.discard(slot)
        if slot.is_alive and slot.child is not None and self._runs_code(slot.child):
            return
        if slot.runs_at_times and not slot.is_parked:
            return  # its run is never ended for new code, and its next one has it
        if slot.is_alive or slot.is_in_backoff or slot.is_refused or (failed and slot.is_parked):
            healthy = slot.is_running or (slot.is_alive and not slot.history.failures)
            if not self._goes_along(slot):
                self._moving[slot] = Move(proves=healthy or failed)
            if not slot.is_stopping:
                cause = Reason(f"moves to generation {self.generation}")
                self.lifecycle.apply(slot, Fact.RESTART_ASKED, cause=cause)
        self._be_patient()

    def _keeps_former(self, slot: LiveSlot) -> bool:
        return (self.under_way or bool(self.halted)) and not self._backward and slot not in self._moved

    def _runs_code(self, child: Child) -> bool:
        return (child.generation < self._boundary) == self._backward

    def _finishes(self, slot: LiveSlot) -> bool:
        child = slot.child
        return slot.is_alive and slot.has_taken and child is not None and not self._runs_code(child)

    def _runs_it(self, slot: LiveSlot) -> bool:
        return slot.is_running and slot.child is not None and self._runs_code(slot.child)

    # how a move stands, and its end

    def _has_arrived(self, slot: LiveSlot, move: Move) -> bool:
        """Return whether the slot has proved itself, or is at rest, so that its next start will run the code."""
        if not self._runs_it(slot):
            return slot.is_at_rest
        left = slot.since + max(slot.spec.start_grace, PROOF_S) - self.loop.clock.monotonic()
        if left > 0 and move.seen_since != slot.since:
            move.seen_since = slot.since
            self.loop.call_in(left, lambda: None)  # look again at the end of that turn
        return left <= 0 and (not slot.builtin or self.rows_are_judged())

    def _run_ended(self, slot: LiveSlot, child: Child, end: EndedRun) -> None:
        """Halt where a slot that ran well on the code before has failed on the new one, by itself."""
        move = self._moving.get(slot)
        if move is None or not self._runs_code(child) or not is_failure(slot.spec, end):
            return
        if move.proves:
            self._failed.add(slot)
            if not self._insisting:
                self._halt(say(f"{slot.name} failed: ", end.reason))

    def _be_patient(self) -> None:
        """Give the moves that are under way their time."""
        if self._overdue is not None:
            self._overdue.cancel()
        specs = [slot.spec for slot in self._moving]
        needed = max((spec.stop_timeout + spec.start_timeout + spec.start_grace for spec in specs), default=0.0)
        self._overdue = self.loop.call_in(needed + PATIENCE_S, self._is_overdue)

    def _is_overdue(self) -> None:
        if not self.under_way:
            return
        if any(slot.is_waiting_for_database for slot in self._moving):
            self._be_patient()
            return
        ways = [
            say(f"; {slot.name} is {slot.state.value}: ", slot.reason or Reason("not ready")) for slot in self._moving
        ]
        self._halt(self.generations.obstacle() or say("it gets no further", *ways))

    # how it ends

    def _halt(self, reason: str) -> None:
        self.halted = reason
        moved, total = self.count()
        self.log.emit("rollout.halted", generation=self.generation, reason=reason, moved=moved, slots=total)
        self._end(reason)

    def _finish(self) -> None:
        moved, total = self.count()
        self.generations.release_former()
        self.log.emit("rollout.ended", generation=self.generation, moved=moved, slots=total)
        self._end("")

    def _end(self, halted: str) -> None:
        self.under_way = False
        if self._overdue is not None:
            self._overdue.cancel()
        if not halted:
            self._failed.clear()
        lagging = tuple(slot for slot in self.slot_set.job_slots() if slot.is_down)
        end = RolloutEnd(self.generation, halted, *self.count(), lagging)
        calls, self._on_end = self._on_end, []
        for call in calls:
            call(end)
        self.on_any_end(end)

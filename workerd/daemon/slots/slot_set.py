"""The slots that there are. An edited row changes only the slots that it means; a changed slot writes its own row."""

import json
from collections.abc import Callable, Iterator
from typing import Any

from workerd.daemon.io.listeners import Listeners
from workerd.daemon.io.loop import SHARE_S, Loop
from workerd.daemon.io.records import RecordQueue
from workerd.daemon.processes.program import Program
from workerd.daemon.rules.facts import Fact
from workerd.daemon.rules.holdings import Holding, Place
from workerd.daemon.rules.plan import Plan, plan
from workerd.wire.reasons import Reason, say
from workerd.wire.spec import JobSpec, is_relabelled

from .lifecycle import Lifecycle
from .rows import live_row, slot_row
from .slot import LiveSlot

PROGRESS_S = 5.0
LEFT = "; a process that it left in the background was ended"
EDITED = Reason("its row was edited")
NO_SEAT = Reason("its row wants it in the fleet, and this node has no seat of it")
PROGRESS_ROWS_A_SECOND = 50
BUILTIN_INDEX = -1
"""The index of the daemon's own slots, which no job has, whatever a row is called."""


class SlotSet:
    """Every slot of every job, and the daemon's own: the ledger's and the observer's."""

    def __init__(self, loop: Loop, records: RecordQueue, lifecycle: Lifecycle) -> None:
        self._loop = loop
        self._records = records
        self._lifecycle = lifecycle
        lifecycle.on_changed.add(self.note_change)
        self._slots: dict[tuple[str, int], LiveSlot] = {}
        self._changed: dict[LiveSlot, None] = {}
        self.specs: dict[str, JobSpec] = {}
        self.misfits: dict[str, Reason] = {}
        """By the job's name: why this node runs no process of it, as words that follow “this node”."""
        self._names: dict[int | None, str] = {}
        """By the id of its row: what a job is called."""
        self.seat_of: Callable[[LiveSlot], Holding | None] = lambda _: None
        """Returns the seat of the fleet that a slot may use."""
        self.is_partial = True
        """Whether more rows are to be told, which those that were told may name."""
        self.on_whole: Listeners[[]] = Listeners()
        """Told when all rows have been told."""
        self.on_forgotten: Listeners[[LiveSlot]] = Listeners()
        """Told of each slot that is there no more."""
        self.on_applied: Listeners[[JobSpec]] = Listeners()
        """Told of each row that was made or edited, but for its labels, or is gone, once its slots follow it."""

    def slots(self) -> Iterator[LiveSlot]:
        """Yield every slot, the daemon's own too."""
        return iter(tuple(self._slots.values()))

    def job_slots(self) -> Iterator[LiveSlot]:
        """Yield every slot of a job."""
        return (slot for slot in tuple(self._slots.values()) if not slot.builtin)

    def slots_of(self, name: str) -> list[LiveSlot]:
        """Return the slots that the row of this name wants; none where there is no such row."""
        processes = self.specs[name].processes if name in self.specs else 0
        known = [self._slots.get((name, index)) for index in range(processes)]
        return [slot for slot in known if slot is not None]

    def at(self, place: Place) -> LiveSlot | None:
        """Return the slot that the row with this id wants under this index, None where there is none."""
        job_id, index = place
        slot = self._slots.get((self._names.get(job_id, ""), index))
        return None if slot is None or slot.doomed else slot

    def builtins(self) -> Iterator[LiveSlot]:
        """Yield the daemon's own slots."""
        return (slot for slot in tuple(self._slots.values()) if slot.builtin)

    def sound_jobs(self) -> Iterator[JobSpec]:
        """Yield the enabled jobs whose code has loaded; of those that run the same, one."""
        names = {slot.spec.name for slot in self.job_slots() if slot.sound}
        distinct: dict[tuple[str, str, str], JobSpec] = {}
        for spec in self.specs.values():
            if spec.enabled and spec.name in names and spec.name not in self._lifecycle.problems:
                distinct.setdefault((spec.target, spec.command, json.dumps(spec.kwargs)), spec)
        return iter(distinct.values())

    def add_builtin(self, spec: JobSpec, program: Program | None = None) -> LiveSlot:
        """Add a slot of the daemon's own, which is looked after like any other; ``program`` needs no forkserver."""
        slot = self._slots[spec.name, BUILTIN_INDEX] = LiveSlot(spec, 0, builtin=True, program=program)
        self._lifecycle.want(slot, True)
        return slot

    def apply(self, name: str, spec: JobSpec | None, problem: str = "", misfit: str = "") -> None:
        """Take a job's row as it is now, None where it is gone.

        A ``problem`` is why the row cannot be run as it is, a ``misfit`` why this node runs no process of it.
        """
        self.is_partial = True
        was, had = self.specs.pop(name, None), self._lifecycle.problems.pop(name, "")
        self._follow_name(name, was, spec)
        self._take_misfit(name, misfit)
        changes = plan(was, spec)
        if spec is not None:
            self.specs[name] = spec
        if problem:
            self._lifecycle.problems[name] = Reason(problem)  # the ledger judges a row by its values alone
        unsound = problem != had
        cause = EDITED if changes.edited else Reason("its row cannot run now" if problem else "its row can run now")
        for index in changes.doomed:
            self._doom(self._slots[name, index], self._why_fewer(name, spec))
        if spec is None:
            if was is not None:
                self.on_applied(was)
            return
        kept = range(min(was.processes, spec.processes)) if was is not None else range(0)
        if was is not None and not unsound and is_relabelled(was, spec):
            for index in kept:
                self._slots[name, index].spec = spec
            return  # no edit that a parked slot could start after
        for index in kept if changes.edited or unsound else ():
            restarting = changes.restarting or (unsound and bool(problem))
            self._edit(self._slots[name, index], spec, changes._replace(restarting=restarting), cause)
        for index in changes.added:
            self._add(spec, index)
        self.on_applied(spec)

    def _take_misfit(self, name: str, misfit: str) -> None:
        if misfit:
            self.misfits[name] = Reason(misfit)
        else:
            self.misfits.pop(name, None)

    def _why_fewer(self, name: str, spec: JobSpec | None) -> Reason:
        if spec is None:
            return Reason("its row was deleted")
        misfit = self.misfits.get(name)
        return Reason(f"this node {misfit}" if misfit else "its row wants fewer processes")

    def _follow_name(self, name: str, was: JobSpec | None, now: JobSpec | None) -> None:
        if was is not None and self._names.get(was.id) == name:
            del self._names[was.id]
        if now is not None:
            self._names[now.id] = name

    def become_whole(self) -> None:
        """Take what was told for all that there is to tell now."""
        self.is_partial = False
        self.on_whole()

    def note_change(self, slot: LiveSlot) -> None:
        """Have the slot's row written at the end of this turn; forget a slot that is over."""
        if slot.builtin:
            return
        if slot.is_over:
            self._forget(slot)
        else:
            self._changed[slot] = None

    def note_progress(self) -> None:
        """Have the rows of those slots written that have beaten since; again in five seconds, or later for many."""
        slots = [slot for slot in self._slots.values() if slot.child is not None and slot.is_alive and not slot.builtin]
        for slot in slots:
            assert slot.child is not None
            beat = slot.child.page.last_beat
            if beat != slot.written_beat:
                slot.written_beat = beat
                self._changed[slot] = None
        self._loop.call_in(max(PROGRESS_S, len(slots) / PROGRESS_ROWS_A_SECOND), self.note_progress)

    def blame(self, run: str, name: str) -> None:
        """Say of a ``run`` with a good end, and of its slot where that waits, that it left a process, which was ended.

        A command that puts itself into the background looks like that, and is started and ended without end.
        """
        slot = next((slot for slot in self.job_slots() if slot.last_run == run), None)
        if slot is None or slot.finished_row is None:
            return
        left = say("", Reason(f"{LEFT} (“{name}”)", LEFT), Reason(": have the job stay in the foreground"))
        row, slot.finished_row = slot.finished_row, None
        self._records.add("run", run, {**row, "reason": f"{row['reason']}{left}"})
        if not slot.is_alive:
            self._lifecycle.explain(slot, say("", slot.reason, left))

    def note_all(self) -> None:
        """Have every slot's row written, for a ledger that has just started."""
        for slot in self.job_slots():
            self.note_change(slot)

    def write_now(self, slot: LiveSlot) -> None:
        """Record a slot at once, before the end of this turn."""
        self._changed.pop(slot, None)
        self._record(slot)

    def write_rows(self) -> None:
        """Record every slot that has changed."""
        while self._changed:
            self._record_next()

    def write_share(self) -> None:
        """Record, at the end of a turn, the slots that have changed, as many as there is time for: each once."""
        until = self._loop.clock.monotonic() + SHARE_S
        while self._changed:
            self._record_next()
            if self._loop.clock.monotonic() >= until:
                self._loop.call_next(lambda: None)  # at whose end the rest follows
                break

    def _record_next(self) -> None:
        slot = next(iter(self._changed))
        del self._changed[slot]
        self._record(slot)

    def _record(self, slot: LiveSlot) -> None:
        """Record how the slot is; one that only waits for a seat has no row, as many nodes may wait for each seat."""
        if not slot.waits_for_seat:
            slot.has_row = True
            self._records.add("slot", slot_key(slot), slot_row(slot, self._loop.clock))
        elif slot.has_row:
            slot.has_row = False
            self._records.add("slot", slot_key(slot), None)

    def snapshot(self) -> Iterator[dict[str, Any]]:
        """Yield the row of every present slot, and what the database need not know, as ``status`` shows them."""
        clock = self._loop.clock
        return (slot_row(slot, clock) | live_row(slot) for slot in tuple(self._slots.values()))

    def _edit(self, slot: LiveSlot, spec: JobSpec, changes: Plan, cause: Reason) -> None:
        restarting = changes.restarting
        if slot.spec.enabled != spec.enabled:
            slot.held = False
        if slot.spec.heartbeat_timeout != spec.heartbeat_timeout:
            slot.limit_since = self._loop.clock.monotonic()
        slot.sound = slot.sound and not restarting
        slot.spec = spec
        if slot.child is not None:
            slot.child.follow(spec, slot.index)
        slot.seat = self.seat_of(slot)
        wanted = slot.wished
        if slot.wanted and wanted:
            acts = restarting or not slot.is_alive
            self._lifecycle.apply(
                slot,
                Fact.SPEC_CHANGED,
                restarting=restarting,
                rescheduled=changes.rescheduled,
                cause=cause if acts else "",
            )
        else:
            without = NO_SEAT if spec.enabled else Reason("its row was disabled")
            self._lifecycle.want(slot, wanted, Reason("its row was enabled") if wanted else without)
        self.note_change(slot)

    def _add(self, spec: JobSpec, index: int) -> None:
        slot = self._slots.get((spec.name, index))
        if slot is None:
            clock = self._loop.clock
            slot = LiveSlot(spec, index, since=clock.monotonic(), since_wall=clock.wall())
            self._hold_like_siblings(slot)
            self._slots[spec.name, index] = slot
        slot.spec, slot.doomed = spec, False
        slot.seat = self.seat_of(slot)
        self._lifecycle.want(slot, slot.wished)
        self.note_change(slot)

    def _hold_like_siblings(self, slot: LiveSlot) -> None:
        """Hold what is added to a job that an operator has stopped as a whole."""
        siblings = [known for known in self.job_slots() if known.spec.name == slot.spec.name]
        if siblings and all(known.held for known in siblings):
            slot.held, slot.cause = True, siblings[0].cause

    def _doom(self, slot: LiveSlot, cause: str) -> None:
        slot.doomed = True
        self._lifecycle.want(slot, False, cause)
        self.note_change(slot)

    def _forget(self, slot: LiveSlot) -> None:
        if self._slots.pop((slot.spec.name, slot.index), None) is not None:
            self._changed.pop(slot, None)
            self._records.add("slot", slot_key(slot), None)
            self.on_forgotten(slot)


def slot_key(slot: LiveSlot) -> str:
    """Return the key of the slot's record."""
    return f"{slot.spec.name}\n{slot.index}"

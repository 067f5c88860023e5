"""The records of the node and of the runs that go on; ``SlotSet`` writes those of slots, ``Exits`` those of ends."""

import os

from workerd.daemon.slots.rows import run_row
from workerd.daemon.slots.slot import LiveSlot
from workerd.wire.reasons import public_part

from .parts import Parts
from .reloading import Reloading


class NodeRecord:
    """Has this daemon's own row written, and a row for every run that begins or is ready."""

    def __init__(self, parts: Parts, reloading: Reloading) -> None:
        self._parts = parts
        self._reloading = reloading
        self._row = {
            "daemon_pid": os.getpid(),
            "workerd_version": parts.config.version,
            "started": parts.started,
        }
        parts.generations.on_ready.add(lambda _replaced: self.note_node())
        parts.ledger.on_started.add(self.note_node)
        reloading.on_changed.add(self.note_node)
        parts.ledger.on_passed_over.add(self.note_all)
        parts.effects.on_licensed.add(self.note_run)
        parts.effects.on_ready.add(self.note_run)

    def note_node(self) -> None:
        """Record that this daemon lives, with which generation; and that what is wrong with a row is still wrong."""
        halt = self._reloading.halt
        records, generations = self._parts.records, self._parts.generations
        number = generations.current.generation if generations.current is not None else generations.number
        row = {**self._row, "generation": number, "halt": halt, "public_halt": public_part(halt)}
        records.add("node", "node", row)
        for slot in self._parts.slot_set.job_slots():
            if slot.problem:
                problem = {"problem": slot.problem, "public_problem": public_part(slot.problem)}
                records.add("problem", slot.spec.name, problem)

    def note_all(self) -> None:
        """Record this daemon and every run that goes on."""
        self.note_node()
        for slot in self._parts.slot_set.job_slots():
            self.note_run(slot)

    def note_run(self, slot: LiveSlot) -> None:
        """Record that a run has begun, or is ready; the daemon's own slots leave no history."""
        if slot.child is not None and not slot.builtin:
            self._parts.records.add("run", slot.child.run, run_row(slot.child, slot))

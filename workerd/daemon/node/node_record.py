"""The records of the node and of the runs that go on; ``SlotSet`` writes those of slots, ``Exits`` those of ends."""

import os

from workerd.daemon.slots.rows import run_row
from workerd.daemon.slots.slot import LiveSlot

from .parts import Parts


class NodeRecord:
    """Has this daemon's own row written, and a row for every run that begins or is ready."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._row = {
            "daemon_pid": os.getpid(),
            "workerd_version": parts.config.version,
            "started": parts.started,
        }
        parts.generations.on_ready.add(lambda _replaced: self.note_node())
        parts.ledger.on_started.add(self.note_node)
        parts.ledger.on_passed_over.add(self._note_all)
        parts.effects.on_licensed.add(self.note_run)
        parts.effects.on_ready.add(self.note_run)

    def note_node(self) -> None:
        """Record that this daemon lives, with which generation; and that what is wrong with a row is still wrong."""
        records, generations = self._parts.records, self._parts.generations
        number = generations.current.generation if generations.current is not None else generations.number
        records.add("node", "node", {**self._row, "generation": number})
        for slot in self._parts.slot_set.job_slots():
            if slot.problem:
                records.add("problem", slot.spec.name, {"problem": slot.problem})

    def _note_all(self) -> None:
        self.note_node()
        for slot in self._parts.slot_set.job_slots():
            self.note_run(slot)

    def note_run(self, slot: LiveSlot) -> None:
        """Record that a run has begun, or is ready; the daemon's own slots leave no history."""
        if slot.child is not None and not slot.builtin:
            self._parts.records.add("run", slot.child.run, run_row(slot.child, slot))

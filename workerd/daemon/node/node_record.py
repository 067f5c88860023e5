"""The records of the node and of the runs that go on; those of slots are the fleet's, those of ends are ``Exits``'."""

import os

from workerd.daemon.io.records import RecordQueue
from workerd.daemon.processes.generations import Generations
from workerd.daemon.slots.rows import run_row
from workerd.daemon.slots.slot import LiveSlot
from workerd.daemon.slots.slot_set import SlotSet
from workerd.wire.config import DaemonConfig


class NodeRecord:
    """Has them written down; ``started`` is wall seconds (UTC)."""

    def __init__(
        self, config: DaemonConfig, started: float, records: RecordQueue, slot_set: SlotSet, generations: Generations
    ) -> None:
        self._row = {"daemon_pid": os.getpid(), "workerd_version": config.version, "started": started}
        self._records = records
        self._slot_set = slot_set
        self._generations = generations

    def note_node(self) -> None:
        """This daemon lives, with this generation; and what is wrong with a job's row is still wrong."""
        self._records.add("node", "node", {**self._row, "generation": self._generations.number})
        for slot in self._slot_set.job_slots():
            if slot.problem:
                self._records.add("problem", slot.spec.name, {"problem": slot.problem})

    def note_run(self, slot: LiveSlot) -> None:
        """A run has begun, or is ready; our own leave no history."""
        if slot.child is not None and not slot.builtin:
            self._records.add("run", slot.child.run, run_row(slot.child, slot))

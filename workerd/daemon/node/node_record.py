"""The records of the node and of the runs that go on; those of slots are the fleet's, those of ends are ``Ends``'."""

import os

from workerd.daemon.io.records import Records
from workerd.daemon.processes.generations import Generations
from workerd.daemon.slots.rows import run_row
from workerd.daemon.slots.slot import Slot
from workerd.daemon.slots.slot_set import Fleet
from workerd.wire.config import DaemonConfig


class Chronicle:
    """Has them written down; ``started`` is wall seconds (UTC)."""

    def __init__(
        self, config: DaemonConfig, started: float, records: Records, fleet: Fleet, generations: Generations
    ) -> None:
        self._row = {"daemon_pid": os.getpid(), "workerd_version": config.version, "started": started}
        self._records = records
        self._fleet = fleet
        self._generations = generations

    def note_node(self) -> None:
        """This daemon lives, with this generation; and what is wrong with a job's row is still wrong."""
        self._records.put("node", "node", {**self._row, "generation": self._generations.number})
        for slot in self._fleet.job_slots():
            if slot.problem:
                self._records.put("problem", slot.spec.name, {"problem": slot.problem})

    def note_run(self, slot: Slot) -> None:
        """A run has begun, or is ready; our own leave no history."""
        if slot.child is not None and not slot.builtin:
            self._records.put("run", slot.child.run, run_row(slot.child, slot))

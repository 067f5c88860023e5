"""Counts of how the runs of each job ended: made where they end, as a job may log what it likes."""

from collections import Counter
from typing import Any

from workerd.daemon.processes.child import Child
from workerd.daemon.rules.restart import EndedRun

from .exits import Exits
from .slot import LiveSlot
from .slot_set import SlotSet


class Ends:
    """Counts by job and outcome, and what the kernel killed for want of memory; forgets a job that is gone."""

    def __init__(self, slot_set: SlotSet, exits: Exits) -> None:
        self._slot_set = slot_set
        self._outcomes: Counter[tuple[str, str]] = Counter()
        self._oom_kills: Counter[str] = Counter()
        exits.on_ended.add(self._note)

    def snapshot(self) -> dict[str, Any]:
        """Return plain values: ``ends`` is job, outcome and count of each, ``oom_kills`` job and count."""
        self._forget_gone()
        return {
            "ends": [[*key, count] for key, count in self._outcomes.items()],
            "oom_kills": [[job, count] for job, count in self._oom_kills.items()],
        }

    def _note(self, slot: LiveSlot, _child: Child, end: EndedRun) -> None:
        key = (slot.spec.name, end.outcome.value)
        if key not in self._outcomes:
            self._forget_gone()  # rows of ever new names must not add up, also where nobody asks for the counts
        self._outcomes[key] += 1
        if end.oom_killed:
            self._oom_kills[slot.spec.name] += 1

    def _forget_gone(self) -> None:
        names = {slot.spec.name for slot in self._slot_set.slots()}
        for key in [key for key in self._outcomes if key[0] not in names]:
            del self._outcomes[key]
        for job in [job for job in self._oom_kills if job not in names]:
            del self._oom_kills[job]

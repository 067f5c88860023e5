"""A rest between faults: every seat is held again in time by the nodes that are well, one of which may be gone."""

import time
from collections import Counter
from collections.abc import Collection
from typing import Any

from tests.fleet.fleet import READY_WITHIN_S, Fleet
from tests.fleet.node import FleetNode
from workerd.wire.lease import longest_gap

from .fleet_faults import Faults
from .fleet_jobs import CONTINUOUS, SEATS
from .fleet_ready import why_not_ready

RETRY_S = 1.0
"""A ledger whose server was out tries again after so long at most."""
BIRTH_S = 1.0
"""A seat that is held has a process that writes after so long, on a machine with nothing else to do."""
ABSENT = 0.5
"""How often one node stays away in a rest, so that others have to take its seats over."""


class Rests:
    """Looks on at each rest. ``complaints`` has the seats that nobody held in time."""

    def __init__(self, fleet: Fleet, faults: Faults, dice: Any) -> None:
        self._fleet, self._faults, self._dice = fleet, faults, dice
        self.complaints: list[str] = []
        self.taken_s: list[float] = []
        self.limits_s: list[float] = []
        self.done: Counter[str] = Counter()

    @property
    def figures(self) -> dict[str, Any]:
        return {
            "rests": dict(self.done),
            "all_held_again_s": self.taken_s,
            "longest_allowed_s": max(self.limits_s, default=0.0),
        }

    def rest(self, *, whole: bool = False) -> None:
        """End every fault, and wait until each seat is held; with ``whole`` by all the nodes."""
        self._faults.calm()
        absent = self._choose_absent() if not whole and self._dice.random() < ABSENT else None
        here = [node for node in self._fleet.nodes if node is not absent]
        self._fleet.eventually(lambda: self._are_ready(here), READY_WITHIN_S, "every node to be ready")
        self.done["with one node gone" if absent else "with all nodes"] += 1
        self._wait(time.monotonic(), here)

    def _are_ready(self, here: Collection[FleetNode]) -> bool:
        """Look at every node; one that has ended is started, also where it was told to end before and does so now."""
        lacking = []
        for node in here:
            if not node.is_running:
                self._faults.start(node)
            if why := why_not_ready(node):
                lacking.append(f"{node.host}: {why}")
        assert not lacking, "\n".join([*lacking, *self._faults.ended_by_themselves])
        return True

    def _choose_absent(self) -> FleetNode:
        """Return a node that has ended; where none has, kill one."""
        gone = [node for node in self._fleet.nodes if not node.is_running]
        absent: FleetNode = gone[0] if gone else self._dice.choice(self._fleet.nodes)
        if absent.is_running:
            absent.kill()
        return absent

    def _wait(self, began: float, here: Collection[FleetNode]) -> None:
        """Wait for every seat, since ``began``, when the nodes are ready: their start is none of the lease's times."""
        lives = {str(node.picture()["daemon"]["life"]) for node in here}
        longest_ms = max(self._fleet.seats.values_list("takeover_ms", flat=True), default=0)
        limit = longest_gap(max(longest_ms / 1000, self._faults.shortest)) + RETRY_S + BIRTH_S
        while lacking := self._lacking(lives):
            now = time.monotonic()
            if now - began > limit + self._fleet.lateness.since(began):
                self.complaints += [
                    f"rest {self.done.total()}: nobody has {seat} after {limit:.1f} s" for seat in lacking
                ]
                break
            time.sleep(0.1)
        self.taken_s.append(round(time.monotonic() - began, 1))
        self.limits_s.append(round(limit + self._fleet.lateness.since(began), 1))
        words = f"held again after {self.taken_s[-1]} of {self.limits_s[-1]} s, complaints {len(self.complaints)}"
        print(f"{_clock()} rest {self.done.total()}: {len(here)} nodes, {words}", flush=True)

    def _lacking(self, lives: Collection[str]) -> list[str]:
        """Return the seats that no node which is here holds, and those without a process that ought to have one."""
        held = {
            f"{job}:{index}"
            for job, index, life in self._fleet.seats.values_list("job__name", "index", "life")
            if str(life) in lives
        }
        return sorted((SEATS - held) | (CONTINUOUS - self._fleet.witnesses.writing()))


def _clock() -> str:
    return time.strftime("%T")

"""What people do to a fleet, as faults of their own: drains, moves, edits; and how each fault is undone."""

import signal
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from tests.fleet.fleet import F, Fleet
from tests.fleet.node import FleetNode
from tests.harness.daemon import DONE
from tests.harness.project import ALIAS
from workerd.wire.lease import boot_time
from workerd.wire.words import State

from .fleet_jobs import JOBS
from .fleet_ready import tell_end

HEARD_WITHIN_S = 3.0
"""A ledger has heard of every process so long after its birth: the daemon tells it each second."""
REST_S = 5.0
"""So long a node is left alone after a fault of its processes."""
ASKED_WITHIN_S = 2.0
ENDS_ASKED_FOR = (DONE, -signal.SIGKILL)
TAKEOVERS_S = (F, 1.2 * F, 1.5 * F)


@dataclass
class Trouble:
    """A time in which a node could not tell the database anything, or not by itself; wall seconds."""

    host: str
    kind: str
    began: float
    ended: float = float("inf")


class Orders:
    """Undoes what has lasted; a node whose processes a fault has had is left alone for a while."""

    shortest = F

    def __init__(self, fleet: Fleet, dice: Any) -> None:
        self._fleet, self._dice = fleet, dice
        self._undo: list[tuple[float, Callable[[], None]]] = []
        self._busy: dict[FleetNode, float] = {}
        """Until when a node's daemon or ledger stands still or is new: two at once are more than the lease bears."""
        self.done: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self.thaws: list[tuple[str, float]] = []
        self.troubles: list[Trouble] = []
        self.ended_by_themselves: list[str] = []
        """How daemons ended that were neither killed nor told to: none ought to."""

    # undoing

    def undo(self, until: float = float("inf")) -> None:
        """Undo what has lasted until then."""
        for entry in [entry for entry in self._undo if entry[0] <= until]:
            self._undo.remove(entry)
            entry[1]()

    def start_ended(self) -> None:
        """Start each node that has ended, once its time is over."""
        for node in self._fleet.nodes:
            if not node.is_running and time.monotonic() > self._busy.get(node, 0):
                self.start(node)

    def start(self, node: FleetNode) -> None:
        """Start a node that has ended."""
        if node.wait(0) not in ENDS_ASKED_FOR:
            self.ended_by_themselves.append(f"{node.host} {tell_end(node)}")
        node.start(ready=False)
        self._busy[node] = time.monotonic() + REST_S

    def unheard(self, nodes: Iterable[FleetNode], kind: str, lasts: float, undo: Callable[[], None]) -> None:
        """Note a trouble of the nodes that begins now, and ends with ``undo``."""
        over = self.begin_unheard(nodes, kind)

        def end() -> None:
            undo()
            over()

        self._later(lasts, end)

    def begin_unheard(self, nodes: Iterable[FleetNode], kind: str) -> Callable[[], None]:
        """Note a trouble of the nodes that begins now; return what ends it."""
        begun = [Trouble(node.host, kind, time.time()) for node in nodes]
        self.troubles += begun

        def end() -> None:
            for trouble in begun:
                trouble.ended = time.time()

        return end

    def _later(self, seconds: float, undo: Callable[[], None]) -> None:
        self._undo.append((time.monotonic() + seconds, undo))

    def _take(self, node: FleetNode, seconds: float) -> bool:
        """Keep the node for one fault of its processes; return whether it was free for that."""
        now = time.monotonic()
        if not node.is_running or self._busy.get(node, 0) > now or not self._is_warded(node):
            return False
        self._busy[node] = now + seconds + REST_S
        return True

    def _is_warded(self, node: FleetNode) -> bool:
        """Return whether its ledger knows every process: before that, nobody ends what a stopped daemon would."""
        ledger = node.slot("workerd.ledger")
        heard = time.time() - HEARD_WITHIN_S - self._fleet.lateness.since(time.monotonic() - HEARD_WITHIN_S)
        return ledger.get("state") == State.RUNNING.value and ledger["since"] < heard

    def _thaw(self, node: FleetNode) -> None:
        self.thaws.append((node.host, boot_time()))
        node.thaw()

    # what people do

    def fault_drain(self, node: FleetNode, lasts: float) -> bool:
        if not self._take(node, 0):
            return False
        node.ask({"verb": "drain", "way": "force", "wait": False}, ASKED_WITHIN_S)
        self._later(lasts, lambda: self._undrain(node))
        return True

    def _undrain(self, node: FleetNode) -> None:
        """End a drain; the end of its daemon does so, too, and one that stands still is asked again."""
        if not node.is_running:
            return
        try:
            node.ask({"verb": "drain", "way": "undo", "wait": False}, ASKED_WITHIN_S)
        except OSError:
            self._later(1.0, lambda: self._undrain(node))

    def fault_move(self, _: FleetNode, __: float) -> bool:
        """Have the seat given up that a rebalance would move next; where it finds none, any other."""
        from workerd.fleet.picture import read_fleet
        from workerd.fleet.rebalancing import next_move
        from workerd.management.node_orders import give

        fleet = read_fleet(ALIAS)
        move = next_move(fleet)
        held = [(place, place.holder) for place in fleet.places if place.holder is not None]
        if not held:
            return False
        place, holder = (move.place, move.holder) if move is not None else self._dice.choice(held)
        give(ALIAS, "move", holder, place.job, place.name)
        return True

    def fault_edit_takeover(self, _: FleetNode, lasts: float) -> bool:
        name = self._dice.choice(sorted(JOBS))
        self._fleet.project.edit_job(name, takeover_after=self._dice.choice(TAKEOVERS_S))
        self._later(lasts, lambda: self._fleet.project.edit_job(name, takeover_after=F))
        return True

    def fault_edit_processes(self, _: FleetNode, lasts: float) -> bool:
        name = self._dice.choice(("movable", "pair"))
        usual = JOBS[name]["processes"]
        self._fleet.project.edit_job(name, processes=usual + self._dice.choice((-1, 1)))
        self._later(lasts, lambda: self._fleet.project.edit_job(name, processes=usual))
        return True

"""What is done to a fleet: to links, daemons, ledgers, children, whole nodes, the server and its clock."""

import contextlib
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from tests.fleet.fleet import F, Fleet
from tests.fleet.node import FleetNode
from tests.harness.waiting import TooLateError
from workerd.wire.lease import boot_time

from .clock import WallClock, start_server

LEDGER_BACK_S = 8.0
"""Until a new ledger has heard of every process: without it, nobody ends what a stopped daemon would."""
SELDOM = ("fault_cut_all", "fault_restart_server", "fault_step_clock", "fault_kill_child", "fault_stop_child")
STEPS_S = (3600, -3600, 10, -10)


class Faults:
    """Makes one fault after another, and undoes each after its time."""

    def __init__(self, fleet: Fleet, server: Any, clock: WallClock, dice: random.Random) -> None:
        self._fleet, self._server, self._clock, self._dice = fleet, server, clock, dice
        self._undo: list[tuple[float, Callable[[], None]]] = []
        self._busy: dict[FleetNode, float] = {}
        """Until when a node's daemon or ledger stands still or is new: two at once are more than the lease bears."""
        self.done: Counter[str] = Counter()
        self.thaws: list[tuple[str, float]] = []
        names = [name for name in dir(self) if name.startswith("fault_")]
        self._names = [name for name in names for _ in range(1 if name in SELDOM else 3)]
        self.healed = 0.0
        """When the last fault was undone."""

    def step(self) -> None:
        """Undo what has lasted; start what has ended; make a fault now and then."""
        now = time.monotonic()
        for entry in [entry for entry in self._undo if entry[0] <= now]:
            self._undo.remove(entry)
            entry[1]()
        for node in self._fleet.nodes:
            if not node.is_running and now > self._busy.get(node, 0):
                node.start(ready=False)
                self._busy[node] = now + LEDGER_BACK_S
        if self._dice.random() < 0.1:
            name = self._dice.choice(self._names)
            node = self._dice.choice(self._fleet.nodes)
            with contextlib.suppress(TooLateError, ProcessLookupError):
                if getattr(self, name)(node, self._dice.uniform(0.05, 2.0) * F):
                    self.done[name.removeprefix("fault_")] += 1
        time.sleep(0.1)

    def undo_all(self) -> None:
        """Have every node, link, server and clock be well."""
        for _, undo in self._undo:
            undo()
        self._undo.clear()
        self._clock.set_ahead(0)
        self.healed = time.monotonic()
        self._fleet.start()

    def _later(self, seconds: float, undo: Callable[[], None]) -> None:
        self._undo.append((time.monotonic() + seconds, undo))

    def _take(self, node: FleetNode, seconds: float) -> bool:
        """Keep the node for one fault of its processes; return whether it was free for that."""
        now = time.monotonic()
        if not node.is_running or self._busy.get(node, 0) > now:
            return False
        self._busy[node] = now + seconds + LEDGER_BACK_S
        return True

    # the link

    def fault_cut(self, node: FleetNode, lasts: float) -> bool:
        node.cut()
        self._later(lasts, node.mend)
        return True

    def fault_cut_all(self, _: FleetNode, lasts: float) -> bool:
        for node in self._fleet.nodes:
            node.cut()
            self._later(lasts * self._dice.uniform(0.8, 1.0), node.mend)
        return True

    # the processes

    def fault_stop_daemon(self, node: FleetNode, lasts: float) -> bool:
        return self._take(node, lasts) and self._stop(node, lasts, node.pid)

    def fault_stop_ledger(self, node: FleetNode, lasts: float) -> bool:
        return self._take(node, lasts) and self._stop(node, lasts, node.ledger_pid)

    def fault_freeze_node(self, node: FleetNode, lasts: float) -> bool:
        if not self._take(node, lasts):
            return False
        node.freeze_all()
        self._later(lasts, lambda: self._thaw(node))
        return True

    def fault_stop_child(self, node: FleetNode, lasts: float) -> bool:
        pids = self._children(node)
        return bool(pids) and self._take(node, lasts) and self._stop(node, lasts, self._dice.choice(pids))

    def fault_kill_child(self, node: FleetNode, _: float) -> bool:
        pids = self._children(node) if node.is_running else []
        if pids:
            os.kill(self._dice.choice(pids), signal.SIGKILL)
        return bool(pids)

    def fault_kill_daemon(self, node: FleetNode, lasts: float) -> bool:
        if not self._take(node, 0):
            return False
        node.signal(signal.SIGKILL)
        self._busy[node] = time.monotonic() + self._dice.choice((0.0, lasts))
        return True

    def fault_end_daemon(self, node: FleetNode, _: float) -> bool:
        if self._take(node, 0):
            node.signal(signal.SIGTERM)
            return True
        return False

    def fault_kill_ledger(self, node: FleetNode, _: float) -> bool:
        if self._take(node, 0):
            os.kill(node.ledger_pid, signal.SIGKILL)
            return True
        return False

    # the server

    def fault_restart_server(self, _: FleetNode, __: float) -> bool:
        self._fleet.project.disconnect()
        self._server.kill()
        start_server(self._server, self._clock)
        self._fleet.make_durable()
        return True

    def fault_step_clock(self, _: FleetNode, __: float) -> bool:
        self._clock.set_ahead(self._dice.choice(STEPS_S))
        return self._clock.works

    def _stop(self, node: FleetNode, lasts: float, pid: int) -> bool:
        node.freeze(pid)
        self._later(lasts, lambda: self._thaw(node))
        return True

    def _thaw(self, node: FleetNode) -> None:
        self.thaws.append((node.host, boot_time()))
        node.thaw()

    def _children(self, node: FleetNode) -> list[int]:
        """Return the processes of seats that write on a node now."""
        return self._fleet.witnesses.pids_writing(node.host)

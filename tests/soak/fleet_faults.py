"""What is done to a fleet: to links, daemons, ledgers, forkservers, children, whole nodes, the server and its clock."""

import os
import signal
import time
from typing import Any

from tests.fleet.fleet import Fleet
from tests.fleet.node import FleetNode
from tests.harness.waiting import TooLateError, eventually

from .clock import WallClock, start_server
from .faults.fault import send
from .fleet_orders import Orders

CALM_WITHIN_S = 60.0
SELDOM = ("cut_all", "silence_server", "restart_server", "step_clock", "kill_child", "stop_child")
STEPS_S = (3600, -3600, 10, -10)


class Faults(Orders):
    """Makes one fault after another, and undoes each after its time."""

    def __init__(self, fleet: Fleet, server: Any, clock: WallClock, dice: Any) -> None:
        super().__init__(fleet, dice)
        self._server, self._clock = server, clock
        self._unguarded: set[FleetNode] = set()
        """Nodes of which daemon and ledger stand still: nobody would end a process there that is deaf."""
        names = [name.removeprefix("fault_") for name in dir(self) if name.startswith("fault_")]
        self._names = [name for name in names for _ in range(1 if name in SELDOM else 3)]

    def step(self) -> None:
        """Undo what has lasted; start what has ended; make a fault now and then."""
        self.undo(time.monotonic())
        self._guard()
        self.start_ended()
        if self._dice.random() < 0.1:
            name = self._dice.choice(self._names)
            node = self._dice.choice(self._fleet.nodes)
            lasts = self._dice.uniform(0.05, 2.0) * self.shortest
            try:
                self.done[name] += bool(getattr(self, f"fault_{name}")(node, lasts))
            except (OSError, TooLateError):
                self.failed[name] += 1  # another one's work: the node does not answer, or the process is gone
        time.sleep(0.1)

    def calm(self) -> None:
        """Undo everything; nodes that have ended stay ended."""
        self._clock.set_ahead(0)
        eventually(self._is_undone, CALM_WITHIN_S, "the end of every fault")

    def _is_undone(self) -> bool:
        self.undo()
        return not self._undo

    # the link

    def fault_cut(self, node: FleetNode, lasts: float) -> bool:
        self._cut(node, lasts)
        return True

    def fault_cut_all(self, _: FleetNode, lasts: float) -> bool:
        for node in self._fleet.nodes:
            self._cut(node, lasts * self._dice.uniform(0.8, 1.0))
        return True

    def _cut(self, node: FleetNode, lasts: float) -> None:
        node.cut()
        self.unheard([node], "database", lasts, node.mend)

    # the processes

    def fault_stop_daemon(self, node: FleetNode, lasts: float) -> bool:
        return self._take(node, lasts) and self._stop(node, lasts, node.pid)

    def fault_stop_ledger(self, node: FleetNode, lasts: float) -> bool:
        return self._take(node, lasts) and self._stop(node, lasts, node.ledger_pid)

    def fault_stop_forkserver(self, node: FleetNode, lasts: float) -> bool:
        return self._take(node, lasts) and self._stop(node, lasts, self._forkserver(node))

    def fault_stop_both(self, node: FleetNode, lasts: float) -> bool:
        """Stop daemon and ledger, where every process of the node looks at its deadline itself."""
        if self._fleet.witnesses.pids_writing(node.host, "deaf") or not self._take(node, lasts):
            return False
        self._unguarded.add(node)
        return self._stop(node, lasts, node.pid, node.ledger_pid)

    def fault_freeze_node(self, node: FleetNode, lasts: float) -> bool:
        if not self._take(node, lasts):
            return False
        node.freeze_all()
        self.unheard([node], "processes", lasts, lambda: self._thaw(node))
        return True

    def fault_stop_child(self, node: FleetNode, lasts: float) -> bool:
        pids = self._children(node)
        return bool(pids) and self._take(node, lasts) and self._stop(node, lasts, self._dice.choice(pids))

    def fault_kill_child(self, node: FleetNode, _: float) -> bool:
        pids = self._children(node) if node.is_running else []
        return bool(pids) and send(self._dice.choice(pids), signal.SIGKILL)

    def fault_kill_daemon(self, node: FleetNode, lasts: float) -> bool:
        return self._take(node, 0) and self._kill(node, node.pid, stays=self._dice.choice((0.0, lasts)))

    def fault_kill_both(self, node: FleetNode, lasts: float) -> bool:
        return self._take(node, 0) and self._kill(node, node.ledger_pid, node.pid, stays=lasts)

    def fault_kill_ledger(self, node: FleetNode, _: float) -> bool:
        return self._take(node, 0) and self._kill(node, node.ledger_pid)

    def fault_kill_forkserver(self, node: FleetNode, _: float) -> bool:
        return self._take(node, 0) and self._kill(node, self._forkserver(node))

    def fault_end_daemon(self, node: FleetNode, _: float) -> bool:
        if self._take(node, 0):
            node.signal(signal.SIGTERM)
            return True
        return False

    # the server

    def fault_restart_server(self, _: FleetNode, __: float) -> bool:
        out = self.begin_unheard(self._fleet.nodes, "database")
        self._fleet.project.disconnect()
        self._server.kill()
        start_server(self._server, self._clock)
        self._fleet.make_durable()
        out()
        return True

    def fault_silence_server(self, _: FleetNode, lasts: float) -> bool:
        """Stop the relay, so that every connection stays and nothing is answered."""
        relay = self._fleet.network.relay_pid
        os.kill(relay, signal.SIGSTOP)
        self.unheard(self._fleet.nodes, "database", lasts, lambda: os.kill(relay, signal.SIGCONT))
        return True

    def fault_step_clock(self, _: FleetNode, __: float) -> bool:
        self._clock.set_ahead(self._dice.choice(STEPS_S))
        return self._clock.works

    # what they share

    def _kill(self, node: FleetNode, *pids: int, stays: float = 0.0) -> bool:
        for pid in pids:
            send(pid, signal.SIGKILL)
        self._busy[node] = max(self._busy[node], time.monotonic() + stays)
        return True

    def _guard(self) -> None:
        """Let a node go on where a deaf process has begun that had its licence before both were stopped."""
        for node in self._unguarded.copy():
            if self._fleet.witnesses.pids_writing(node.host, "deaf"):
                self._thaw(node)

    def _thaw(self, node: FleetNode) -> None:
        self._unguarded.discard(node)
        super()._thaw(node)

    def _stop(self, node: FleetNode, lasts: float, *pids: int) -> bool:
        node.freeze(*pids)
        self.unheard([node], "processes", lasts, lambda: self._thaw(node))
        return True

    def _forkserver(self, node: FleetNode) -> int:
        pid = node.picture()["daemon"]["forkserver_pid"]
        if pid is None:
            raise ProcessLookupError("there is no forkserver now")
        return int(pid)

    def _children(self, node: FleetNode) -> list[int]:
        """Return the processes of seats that write on a node now."""
        return self._fleet.witnesses.pids_writing(node.host)

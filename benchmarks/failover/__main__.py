"""How long a singleton is nowhere: graceful hand-over, takeover from a dead node, the same node after kill -9.

``python -m benchmarks.failover [--rounds N] [--takeover-after F] [--json] DATABASE_URL``; the database is migrated,
and its job rows are replaced. Two real daemons; every time is from the singleton's own witness lines. The aims, on
PostgreSQL: hand-over p50 ≤ 150 ms, takeover ≤ F + R + 1 s, the same node ≤ 1 s from the kill, where its supervisor
starts it again at once. Most of that loads Python and the project, twice; the processor time tells it from waits.
"""

import argparse
import json
import os
import shutil
import signal
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.failover.nodes import ROW, Node, Witness
from workerd.wire.lease import renewal_interval

PATIENT_S, KNOWN_S = 60.0, 15.0
"""Takeover_after while the same node starts again, and until every node has read and confirmed it."""
SETTLE_S = 3.0
"""So long each round lets both nodes look and renew before the next fault."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("url", metavar="DATABASE_URL")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--takeover-after", type=float, default=10.0)
    parser.add_argument("--json", action="store_true", help="JSON alone, for programs")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="workerd-failover."))
    stage = Stage(folder, options.url, options.takeover_after)
    try:
        figures = {
            "rounds": options.rounds,
            "load": round(os.getloadavg()[0], 1),
            "hand_over_ms": _figures(_play(stage.hand_over, options.rounds)),
            "takeover_ms": _figures(_play(stage.takeover, options.rounds)),
            "takeover_aim_ms": round((options.takeover_after + renewal_interval(options.takeover_after) + 1) * 1e3),
        }
        stage.be_patient()
        figures["same_node_ms"] = _figures(_play(stage.same_node, options.rounds))
        figures["same_node_from_contact_ms"] = _figures(stage.from_contact_ms)
        figures["same_node_processor_ms"] = _figures(stage.processor_ms)
    finally:
        stage.end()
        shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps(figures, indent=None if options.json else 2))


def _play(play: Callable[[], float], rounds: int) -> list[float]:
    return [play() for _ in range(rounds)]


def _figures(measured: list[float]) -> dict[str, Any]:
    taken = sorted(measured)
    return {"p50": round(statistics.median(taken)), "max": round(taken[-1]), "all": [round(each) for each in taken]}


class Stage:
    """Two nodes, of which one has the singleton."""

    def __init__(self, folder: Path, url: str, takeover_s: float) -> None:
        self.from_contact_ms: list[float] = []
        """Of each start after a kill: from the first contact of its ledger to the first line."""
        self.processor_ms: list[float] = []
        """And how much processor time the node's processes had taken by then."""
        self._witness = Witness(folder / "witness")
        self._nodes = {name: Node(name, folder, url) for name in ("bench-a", "bench-b")}
        first = self._nodes["bench-a"]
        first.manage("migrate", "--verbosity=0")
        clear = "from workerd.models import *\nfor m in (Seat, Job, Slot, Run, Node): m.objects.all().delete()\n"
        row = ROW.format(path=str(self._witness.path), takeover_s=takeover_s)
        first.manage("shell", "--no-imports", "-c", clear + row)
        for node in self._nodes.values():
            node.start()
        for node in self._nodes.values():
            node.event("ledger.connected")

    def end(self) -> None:
        """End both."""
        for node in self._nodes.values():
            node.end()

    def hand_over(self) -> float:
        """Stop the holder gracefully; return the milliseconds between its last line and the other node's first."""
        holder, token = self._settled()
        holder.signal(signal.SIGTERM)
        first = self._witness.after(token)
        holder.wait()
        gap_ms = (first.at_ns - self._witness.last_of(token).at_ns) / 1e6
        self._again(holder)
        return gap_ms

    def takeover(self) -> float:
        """Kill the holder; return the milliseconds until the other node's first line."""
        holder, token = self._settled()
        killed = holder.signal(signal.SIGKILL)
        holder.wait()
        first = self._witness.after(token)
        self._again(holder)
        return (first.at_ns - killed) / 1e6

    def be_patient(self) -> None:
        """Have no other node take the seat while a daemon starts, however busy this machine is."""
        edit = (
            f"from workerd.models import *\nfor job in Job.objects.all(): job.takeover_after = {PATIENT_S}; job.save()"
        )
        next(iter(self._nodes.values())).manage("shell", "--no-imports", "-c", edit)
        time.sleep(KNOWN_S)

    def same_node(self) -> float:
        """Kill the holder and start it again at once; return the milliseconds from the kill to its first line."""
        holder, token = self._settled()
        killed = holder.signal(signal.SIGKILL)
        holder.wait()
        holder.start()
        first = self._witness.after(token)
        if first.node != holder.name:
            raise SystemExit("the other node has taken the seat: this machine is too slow for so short a takeover")
        self.processor_ms.append(holder.processor_ms())
        contact = holder.event("ledger.connected")
        self.from_contact_ms.append(max(0.0, (first.at_ns - contact) / 1e6))
        return (first.at_ns - killed) / 1e6

    def _settled(self) -> tuple[Node, int]:
        """Return who has the singleton, once both nodes have looked a few times."""
        time.sleep(SETTLE_S)
        self._witness.newest()
        self._witness.forget()
        line = self._witness.newest()
        return self._nodes[line.node], line.token

    def _again(self, node: Node) -> None:
        node.start()
        node.event("ledger.connected")


if __name__ == "__main__":
    main()

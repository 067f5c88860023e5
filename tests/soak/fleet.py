"""Three nodes with twelve seats under every kind of fault, at random: no seat is ever in two places.

``python -m tests.soak.fleet --minutes 2 --database postgres+psycopg2:`` starts a server of its own; the same ``--seed``
makes the same faults in the same order. Needs root, for network namespaces. Ends with 1 on any finding.
"""

import argparse
import json
import os
import random
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.harness.backends.server import make_folder

from .clock import WallClock, start_server
from .session import prepare_django

JOBS: dict[str, dict[str, Any]] = {
    "single": {},
    "deaf": {"target": "deaf", "processes": 3, "stop_timeout": 2},
    "three": {"processes": 3},
    "five": {"processes": 5},
}
SEATS = 12
BACK_SLACK_S = 10.0
"""What the starts of daemons and children may take beside F + 2R, on a machine that has other work."""
LATE_LINES_S, AFTER_THAW_S = 0.1, 1.0
"""After a thaw a process may write so long before it is killed: nobody can kill what stands still."""


def main() -> int:
    """Run one soak, print its figures as JSON, return the exit code."""
    options = _read_options()
    from tests.fleet.network import missing

    if lacks := missing():
        print(f"skipped: {lacks}")
        return 0
    seed = options.seed if options.seed is not None else random.randrange(10**6)
    print(f"fleet: {options.minutes:g} minutes, seed {seed}", flush=True)
    folder = make_folder()
    prepare_django(folder)
    figures = _soak(options.database, folder, options.minutes, seed)
    print(json.dumps(figures, indent=1))
    if figures["complaints"]:
        print(f"FAILED; the nodes' logs are {folder}/node*.log")
        return 1
    print("passed")
    return 0


def _soak(url: str, folder: Path, minutes: float, seed: int) -> dict[str, Any]:
    from tests.fleet.fleet import Fleet
    from tests.harness.project import Project
    from tests.soak.fleet_faults import Faults

    databases, clock = _databases(url, folder), WallClock(folder)
    name = f"workerd_fleet_{os.getpid()}"
    project = fleet = None
    try:
        start_server(databases.server, clock)
        databases.create(name)
        project = Project(folder, databases, name)
        done = project.manage("migrate", "--verbosity=0")
        if done.returncode:
            raise SystemExit(done.stderr)
        fleet = Fleet(project, databases)
        for job, wanted in JOBS.items():
            fields: dict[str, Any] = {"backoff_initial": 0, **wanted}
            fleet.add(job, str(fields.pop("target", "witness")), **fields)
        fleet.start()
        faults = Faults(fleet, databases.server, clock, random.Random(seed))
        complaints = _all_held(fleet, 60)
        began = time.monotonic()
        while time.monotonic() - began < minutes * 60:
            faults.step()
        faults.undo_all()
        complaints += _all_held(fleet, _back_within())
        back_s = time.monotonic() - faults.healed
        return {
            "seed": seed,
            "database": databases.backend.name,
            "minutes": minutes,
            "faults": sum(faults.done.values()),
            "each": dict(faults.done),
            "all_held_again_s": round(back_s, 1),
            **_judge(fleet, faults, complaints),
            "complaints": complaints,
        }
    finally:
        if fleet is not None:
            fleet.close()
            for node in fleet.nodes:
                (folder / f"{node.host}.log").write_text("\n".join(log.text() for log in node.logs))
        if project is not None:
            project.close()
        databases.close()


def _judge(fleet: Any, faults: Any, complaints: list[str]) -> dict[str, Any]:
    """Add to the complaints what the witnesses and the logs show; return the figures."""
    from tests.fleet.witnesses import overlapping

    late = 0
    for seat, first, second in overlapping(fleet.witnesses.spans()):
        if any(_is_late(span, faults.thaws) for span in (first, second)):
            late += 1
        else:
            complaints.append(f"two at once: {seat}: {first} and {second}")
    spans = fleet.witnesses.spans()
    tokens: dict[tuple[str, int], set[str]] = {}
    for span in spans:
        tokens.setdefault((span.seat, span.token), set()).add(span.node)
    complaints += [f"one token on two nodes: {key} {nodes}" for key, nodes in tokens.items() if len(nodes) > 1]
    events = Counter(event["event"] for node in fleet.nodes for log in node.logs for event in log.events())
    complaints += [
        f"{name} was said {events[name]} times"
        for name in ("seats.failed", "protocol.violated", "daemon.failed", "seat.kept")
        if events[name]
    ]
    return {
        "processes": len({span.pid for span in spans}),
        "holdings": len(tokens),
        "moves": sum(fleet.seats.values_list("moves", flat=True)),
        "killed_by_ledgers": events["seat.ended_by_ledger"],
        "lines_after_a_thaw": late,
    }


def _is_late(span: Any, thaws: list[tuple[str, float]]) -> bool:
    is_after = any(host == span.node and 0 <= span.began - at < AFTER_THAW_S for host, at in thaws)
    return is_after and span.ended - span.began < LATE_LINES_S


def _all_held(fleet: Any, within: float) -> list[str]:
    """Wait until a process of each seat writes; return those of which none does."""
    deadline = time.monotonic() + within
    wanted = {f"{job}:{index}" for job, fields in JOBS.items() for index in range(fields.get("processes", 1))}
    assert len(wanted) == SEATS
    while lacking := wanted - fleet.witnesses.writing():
        if time.monotonic() > deadline:
            return [f"nobody runs {seat}" for seat in sorted(lacking)]
        time.sleep(0.1)
    return []


def _back_within() -> float:
    from tests.fleet.fleet import F, R

    return F + 2 * R + BACK_SLACK_S


def _databases(url: str, folder: Path) -> Any:
    from tests.harness.backends.backend import BACKENDS, Databases

    scheme = urlsplit(url).scheme
    backend = next((one for one in BACKENDS.values() if one.scheme == scheme and one.vendor != "sqlite"), None)
    if backend is None:
        raise SystemExit(f"--database begins with a scheme of a server, not with {scheme!r}")
    return Databases(backend, folder)


def _read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--database", required=True, help="postgres+psycopg2: or mysql+pymysql:")
    parser.add_argument("--seed", type=int)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())

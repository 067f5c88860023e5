"""Three nodes with twelve seats under every kind of fault, at random: no seat is ever in two places.

``python -m tests.soak.fleet --minutes 2 --database postgres+psycopg2:`` starts a server of its own; the same ``--seed``
makes the same faults in the same order. Needs root, for network namespaces. Ends with 1 on any finding: two processes
of a seat at once, a seat that nobody holds in time after the last fault, a due moment without an end or with two.
"""

import argparse
import json
import os
import random
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.harness.backends.server import make_folder

from .clock import WallClock, start_server
from .session import prepare_django

FAULTS_S = 40.0
"""So long faults go on between two rests."""
BEGIN_WITHIN_S = 90.0


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
    figures = _hold(options.database, folder, options.minutes, seed)
    print(json.dumps(figures, indent=1))
    if figures["complaints"]:
        print(f"FAILED; the nodes' logs are {folder}/node*.log")
        return 1
    print("passed")
    return 0


def _hold(url: str, folder: Path, minutes: float, seed: int) -> dict[str, Any]:
    """Open server, project and nodes; return what a soak of them finds."""
    from tests.fleet.fleet import Fleet
    from tests.harness.project import Project

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
        found = _soak(fleet, databases.server, clock, minutes * 60, random.Random(seed))
        return {"seed": seed, "database": databases.backend.name, "minutes": minutes, **found}
    finally:
        if fleet is not None:
            fleet.close()
            for node in fleet.nodes:
                (folder / f"{node.host}.log").write_text("\n".join(log.text() for log in node.logs))
        if project is not None:
            project.close()
        databases.close()


def _soak(fleet: Any, server: Any, clock: WallClock, seconds: float, dice: random.Random) -> dict[str, Any]:
    from .fleet_faults import Faults
    from .fleet_findings import judge_dues, judge_seats
    from .fleet_jobs import CONTINUOUS, add_jobs
    from .fleet_rest import Rests

    faults = Faults(fleet, server, clock, dice)
    rests = Rests(fleet, faults, dice)
    add_jobs(fleet)
    fleet.start()
    fleet.wait_writing(CONTINUOUS, BEGIN_WITHIN_S)
    first, began = time.time(), time.monotonic()
    while (left := began + seconds - time.monotonic()) > 0:
        until = time.monotonic() + min(left, FAULTS_S)
        while time.monotonic() < until:
            faults.step()
        rests.rest()
    rests.rest(whole=True)
    dues, due_complaints = judge_dues(fleet, faults, first)
    seats, seat_complaints = judge_seats(fleet, faults)
    return {
        "faults": faults.done.total(),
        "each": dict(sorted(faults.done.items())),
        "not_made": dict(sorted(faults.failed.items())),
        **rests.figures,
        "overslept_s": round(fleet.lateness.since(began), 1),
        **dues,
        **seats,
        "complaints": rests.complaints + faults.ended_by_themselves + due_complaints + seat_complaints,
    }


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

"""The rows of the fleet's soak: twelve seats, of which three are schedules."""

from typing import Any

EVERY_S = 10
SCHEDULED = {"schedule": f"every {EVERY_S} s", "target": "tests.fleet.jobs.scheduled", "start_within": 60}
JOBS: dict[str, dict[str, Any]] = {
    "single": {},
    "deaf": {"target": "tests.fleet.jobs.deaf", "processes": 3, "stop_timeout": 2},
    "pair": {"processes": 2},
    "movable": {"processes": 3, "movable": True},
    "once": {**SCHEDULED, "restart": "never"},
    "again": {**SCHEDULED, "restart": "on_failure", "processes": 2},
}
SEATS = {f"{name}:{index}" for name, fields in JOBS.items() for index in range(fields.get("processes", 1))}
CONTINUOUS = {seat for seat in SEATS if "schedule" not in JOBS[seat.partition(":")[0]]}
assert len(SEATS) == 12


def add_jobs(fleet: Any) -> None:
    """Write the rows."""
    for name, fields in JOBS.items():
        target = fields.get("target", "tests.fleet.jobs.witness").rpartition(".")[2]
        others = {key: value for key, value in fields.items() if key != "target"}
        fleet.add(name, target, **{"backoff_initial": 0, **others})

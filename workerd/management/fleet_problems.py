"""The part of ``check`` for jobs of some nodes or of the fleet: what cannot be kept, and what is likely a mistake."""

from collections.abc import Iterator

from workerd.conf import get_settings
from workerd.fleet.hints import find_hints, read_labels
from workerd.fleet.one_host import why_no_fleet
from workerd.job_rules import find_faults
from workerd.wire.spec import JobSpec

from .refused_jobs import read_jobs


def find_fleet_problems(alias: str) -> Iterator[tuple[str, str]]:
    """Yield a level and a line for each such row; what is wrong with its values is among the faults of the row.

    Where the migration of the fleet waits there is none yet.
    """
    specs = [JobSpec(**row) for row in read_jobs(alias) if row["enabled"] and not find_faults(row)]
    obstacle = why_no_fleet(alias) if any(spec.is_fleet for spec in specs) else ""
    nodes = read_labels(alias) if any(spec.where for spec in specs) else {}
    if nodes and (own := get_settings().labels):
        nodes["this project's LABELS"] = own
    for spec in specs:
        if spec.is_fleet and obstacle:
            yield "warning", f"The job “{spec.name}” would be refused: {obstacle}"
        for hint in find_hints(spec, nodes):
            yield "warning", f"The job “{spec.name}”: {hint}"

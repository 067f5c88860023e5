"""Hints at likely mistakes in a row of the fleet: a stop that gets less time than it asks for, labels of no node."""

from collections.abc import Iterator, Mapping

from workerd.durations import format_duration
from workerd.job_rules.ranges import RANGES
from workerd.job_rules.where import WhereError, parse_where
from workerd.models import Node
from workerd.wire.spec import JobSpec

from .nodes import labels_of

Labels = Mapping[str, Mapping[str, str]]
"""By the node's name, its labels."""
MOST_NAMED = 3


def read_labels(alias: str) -> dict[str, Mapping[str, str]]:
    """Return the labels of the nodes that are known; a release before the fleet has told none."""
    return {str(node): labels_of(node) for node in Node.objects.using(alias).exclude(key=None)}


def find_hints(spec: JobSpec, nodes: Labels) -> Iterator[str]:
    """Yield a sentence for each thing that is likely a mistake; ``spec`` has no fault."""
    if spec.is_fleet and (hint := stop_hint(spec)):
        yield hint
    if hint := where_hint(spec.where, nodes):
        yield hint


def stop_hint(spec: JobSpec) -> str:
    """Return what a process that loses its seat gets instead of its stop_timeout."""
    third, most = spec.takeover_after / 3, RANGES["takeover_after"][1]
    if spec.stop_timeout <= third:
        return ""
    needed = 3 * spec.stop_timeout
    remedy = f"Raise takeover_after to {format_duration(needed)}" if needed <= most else "Lower it"
    return (
        f"stop_timeout is {format_duration(spec.stop_timeout)}, more than a third of takeover_after: where its node "
        f"cannot renew the seat, the process is killed {format_duration(round(third, 1))} after it was asked to stop. "
        f"{remedy}, or see to it that the job bears that."
    )


def where_hint(where: str, nodes: Labels) -> str:
    """Return that none of the ``nodes`` fits, and why; "" where one does, or no node is known."""
    try:
        wanted = parse_where(where)
    except WhereError:
        return ""
    misfits = {name: misfit for name, labels in nodes.items() if (misfit := wanted.misfit(labels))}
    if not misfits or len(misfits) < len(nodes):
        return ""
    named = "; ".join(f"{name} {misfit}" for name, misfit in sorted(misfits.items())[:MOST_NAMED])
    more = f"; and {len(misfits) - MOST_NAMED} more" if len(misfits) > MOST_NAMED else ""
    return f'No known node may run it: {named}{more}. Correct where, or give a node the label in WORKERD["LABELS"].'

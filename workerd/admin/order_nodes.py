"""The nodes that an order for a job is for: each living one that has the job, or may have it."""

from collections.abc import Iterable, Mapping, Sequence

from workerd.fleet.nodes import has_refused, misfit
from workerd.fleet.picture import read_seats
from workerd.fleet.places import is_fleet
from workerd.models import Job, Node, Slot
from workerd.wire.words import slot_name

from .snapshot import Nodes, read_nodes

BEGINNING = frozenset({"start", "resume"})
"""The verbs that are also for a node which has refused the job, and so holds no seat of it."""

Targets = Mapping[int, Sequence[Node | None]]
"""By job: the nodes; None stands for whichever node takes the order first."""


def nodes_for(verb: str, jobs: Sequence[Job], alias: str, slot: str = "") -> Targets:
    """Return for each job the nodes that the order is for, in two queries; three where one is a fleet's."""
    nodes = read_nodes(alias)
    having = _having(jobs, alias, slot)
    holding = _holding(jobs, alias, slot)
    found: dict[int, Sequence[Node | None]] = {}
    for job in jobs:
        known = having.get(job.pk, set()) | holding.get(job.pk, set())
        found[job.pk] = [node for node in nodes.live if _is_for(node, job, verb, slot, known)] or _anybody(job, nodes)
    return found


def _anybody(job: Job, nodes: Nodes) -> Sequence[Node | None]:
    """Return a node that knows the job, as one is enough for an order that holds in the fleet; None for the next."""
    knowing = [node for node in nodes.live if not misfit(node, job)] if is_fleet(job) else nodes.live
    return knowing[:1] if is_fleet(job) or len(knowing) == 1 else (None,)


def _is_for(node: Node, job: Job, verb: str, slot: str, known: set[int]) -> bool:
    if slot or is_fleet(job):
        return node.pk in known or (not slot and verb in BEGINNING and has_refused(node, job))
    return node.pk in known or not misfit(node, job)


def _having(jobs: Iterable[Job], alias: str, slot: str) -> dict[int, set[int]]:
    """Return the nodes that show a slot of each job."""
    rows = Slot.objects.using(alias).filter(job_id__in=[job.pk for job in jobs])
    if slot:
        rows = rows.filter(name=slot)
    found: dict[int, set[int]] = {}
    for job_id, node_id in rows.order_by().values_list("job_id", "node_id").distinct():
        found.setdefault(job_id or 0, set()).add(node_id)
    return found


def _holding(jobs: Sequence[Job], alias: str, slot: str) -> dict[int, set[int]]:
    """Return the nodes that hold a seat of each job."""
    by_pk, found = {job.pk: job for job in jobs}, dict[int, set[int]]()
    for job_id, seats in read_seats(jobs, alias).items():
        job = by_pk[job_id]
        held = [seat for seat in seats if seat.life is not None and seat.node_id is not None]
        of_slot = [seat for seat in held if not slot or slot_name(job.name, seat.index, job.processes) == slot]
        found[job_id] = {seat.node_id for seat in of_slot if seat.node_id is not None}
    return found

"""Everything that the board shows, read in as few queries for ten thousand slots as for ten (``Fleet``)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from workerd.admin.last_ends import last_bad_ends
from workerd.admin.resting import is_resting
from workerd.admin.snapshot import Nodes, read_nodes
from workerd.fleet.nodes import has_left, is_silent, misfit
from workerd.fleet.picture import read_seats
from workerd.fleet.places import Place, is_fleet, places_of
from workerd.models import Job, Node, Slot
from workerd.wire.words import State

from .hours import Day, Hour, read_day

_SLOT = ("node_id", "job_id", "index", "name", "state", "since", "due", "reason", "public_reason")
_JOB = ("name", "enabled", "processes", "schedule", "scope", "where", "significant", "problem", "public_problem")


class SlotRow(NamedTuple):
    """The columns of a slot that the board needs: ten thousand instances of the model would take longer."""

    node_id: int
    job_id: int
    number: int
    name: str
    state: str
    since: datetime | None
    due: float | None
    reason: str
    public_reason: str | None


@dataclass(frozen=True, slots=True)
class JobRows:
    """A job with the slots that living nodes report, by node, and with its places where it is the fleet's."""

    job: Job
    slots: tuple[SlotRow, ...]
    places: tuple[Place, ...]
    hours: Sequence[Hour]
    bad_end: str = ""
    """The outcome of a scheduled job's last time, where it should not have ended so."""

    @property
    def on_node(self) -> Mapping[int, Sequence[SlotRow]]:
        grouped: dict[int, list[SlotRow]] = {}
        for slot in self.slots:
            grouped.setdefault(slot.node_id, []).append(slot)
        return grouped

    @property
    def running(self) -> int:
        return sum(slot.state == State.RUNNING for slot in self.slots)

    @property
    def wanted(self) -> int:
        """How many processes there should be, as far as nodes have told; surplus ones that are ending count."""
        return max(self.job.processes, len(self.slots))

    @property
    def resting(self) -> int:
        """How many slots wait for the time of their schedule."""
        return sum(is_resting(slot, self.job) for slot in self.slots)


@dataclass(frozen=True, slots=True)
class Fleet:
    """Every node and every job, by name."""

    nodes: Nodes
    jobs: tuple[JobRows, ...]
    day: Day
    last_known: Mapping[int, int]
    """How many slots each silent node last reported."""

    @property
    def now(self) -> datetime:
        return self.nodes.now

    @property
    def silent(self) -> tuple[Node, ...]:
        """The nodes that should report, and do not; one that has ended in order is none of them."""
        return tuple(node for node in self.nodes.nodes if is_silent(node, self.now) and not has_left(node))

    @property
    def shown(self) -> tuple[Node, ...]:
        """The nodes of the board: who has ended in order is left out, unless nobody else is there."""
        return tuple(node for node in self.nodes.nodes if not has_left(node)) or self.nodes.nodes


def read_fleet(alias: str) -> Fleet:
    """Return what there is to show: in six queries, one more for seats, and one for what the hours do not keep."""
    nodes = read_nodes(alias)
    living = {node.pk for node in nodes.live}
    jobs = list(Job.objects.using(alias).only(*_JOB).order_by("name"))
    slots: dict[int, list[SlotRow]] = {}
    last_known: dict[int, int] = {}
    for row in Slot.objects.using(alias).filter(job_id__isnull=False).order_by().values_list(*_SLOT):
        slot = SlotRow(*row)
        if slot.node_id in living:
            slots.setdefault(slot.job_id, []).append(slot)
        else:
            last_known[slot.node_id] = last_known.get(slot.node_id, 0) + 1
    seats, day, bad_ends = read_seats(jobs, alias), read_day(alias, nodes.now), last_bad_ends(alias)
    rows = [
        JobRows(
            job,
            tuple(sorted(slots.get(job.pk, ()), key=lambda slot: (slot.node_id, slot.number))),
            places_of(job, seats.get(job.pk, ()), nodes.nodes, nodes.now) if is_fleet(job) else (),
            day.of(job.pk),
            bad_ends.get(job.pk, ""),
        )
        for job in jobs
    ]
    return Fleet(nodes, tuple(rows), day, last_known)


def fitting(nodes: Sequence[Node], job: Job) -> list[Node]:
    """Return the nodes whose labels are those that the job needs."""
    return [node for node in nodes if not job.where or not misfit(node, job)]

"""Everything that is read for a page of jobs: their slots, recent ends and orders, and which daemons report.

The number of queries does not depend on the number of jobs.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import Count, Q

from workerd.fleet.nodes import is_silent
from workerd.fleet.picture import read_seats
from workerd.fleet.places import Place, is_fleet, places_of
from workerd.models import Job, Node, Operation, Run, Slot
from workerd.models.clock import DatabaseNow, read_now
from workerd.wire.words import FAILURES, MOVING, Outcome, State

from .last_ends import LastEnd, read_last_ends
from .resting import is_resting
from .words import problem_of, reason_of

RESTARTS_WITHIN = timedelta(hours=1)
ORDERS_WITHIN = timedelta(minutes=2)
MOST_ORDERS = 1000
"""An order may be for each of several hundred nodes."""

SEVERITY = (
    State.PARKED,
    State.BACKOFF,
    State.WAITING,
    State.STOPPING,
    State.STARTING,
    State.RUNNING,
    State.DONE,
    State.STOPPED,
)
"""The order in which an operator wants to hear of states; one that only a newer version knows stands behind these."""
WAITING_STATES = frozenset({State.PARKED, State.BACKOFF, State.WAITING})


def _severity(state: str) -> int:
    return next((place for place, known in enumerate(SEVERITY) if known == state), len(SEVERITY))


@dataclass(frozen=True, slots=True)
class Nodes:
    """Every node, and the database's time at which they were read."""

    nodes: tuple[Node, ...]
    now: datetime

    @property
    def live(self) -> tuple[Node, ...]:
        """The nodes whose daemon reports."""
        return tuple(node for node in self.nodes if not is_silent(node, self.now))

    @property
    def last_pulse(self) -> datetime | None:
        """The time at which a daemon last reported."""
        return max((node.pulse for node in self.nodes if node.pulse is not None), default=None)

    def is_late(self, slot: Slot) -> bool:
        """Return whether the slot's node is silent."""
        return slot.node_id not in {node.pk for node in self.live}


@dataclass(frozen=True, slots=True)
class JobSnapshot:
    """One job with the slots of live nodes, or with its last known slots where no daemon reports (``is_late``)."""

    job: Job
    slots: tuple[Slot, ...]
    is_late: bool
    now: datetime
    problem: str = ""
    """Why the job cannot run, as far as the user may read it; so are the reasons of the slots."""
    restarts: int = 0
    failures: int = 0
    orders: tuple[Operation, ...] = ()
    ends: tuple[LastEnd, ...] = ()
    """How the last time ended in each slot of a scheduled job."""
    places: tuple[Place, ...] = ()
    """The places of a job of the fleet, which have a slot only where they are held."""

    @property
    def worst(self) -> Slot | None:
        """The slot that an operator wants to hear of first."""
        return min(self.slots, key=lambda slot: (_severity(self._state_of(slot)), slot.index), default=None)

    @property
    def counts(self) -> dict[str, int]:
        """How many slots are in each state, worst first; states without a slot are left out, and who rests."""
        awake = (slot.state for slot in self.slots if not is_resting(slot, self.job))
        return dict(Counter(sorted(awake, key=_severity)))

    @property
    def resting(self) -> tuple[Slot, ...]:
        """The slots that wait for the time of their schedule."""
        return tuple(slot for slot in self.slots if is_resting(slot, self.job))

    @property
    def last_end(self) -> LastEnd | None:
        """The last end, of several slots the one that an operator wants to hear of first."""
        return min(self.ends, key=lambda end: not end.is_bad, default=None)

    @property
    def wanted(self) -> int:
        """How many processes there should be; while surplus slots are ending, how many there are."""
        return max(self.job.processes, len(self.slots))

    @property
    def is_held(self) -> bool:
        """Whether an operator has stopped the job although it is enabled."""
        if self.places:
            return self.job.enabled and all(place.stopped_by for place in self.places)
        return self.job.enabled and bool(self.slots) and all(slot.state == State.STOPPED for slot in self.slots)

    @property
    def held(self) -> int:
        """How many seats of the fleet are held."""
        return sum(place.is_held for place in self.places)

    @property
    def is_moving(self) -> bool:
        """Whether a slot or an order is about to change, so that the page should refresh more often."""
        return any(slot.state in MOVING and not is_resting(slot, self.job) for slot in self.slots) or any(
            is_open(order, self.now) for order in self.orders
        )

    def _state_of(self, slot: Slot) -> str:
        return State.DONE if is_resting(slot, self.job) else slot.state


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The jobs of a page, by their ids."""

    nodes: Nodes
    of_job: dict[int, JobSnapshot] = field(default_factory=dict)
    for_nodes: tuple[Operation, ...] = ()
    """The latest orders that are for no job: reloads, and what is for every job."""


def is_open(order: Operation, now: datetime) -> bool:
    """Return whether a daemon may still take the order, or has taken it and not answered yet."""
    return not order.result and order.expires > now


def read_nodes(alias: str) -> Nodes:
    """Return the nodes and the database's time, in one query."""
    nodes = tuple(Node.objects.using(alias).annotate(read_at=DatabaseNow()).order_by("name", "host"))
    return Nodes(nodes, nodes[0].read_at if nodes else read_now(alias))


def read_snapshot(jobs: Sequence[Job], alias: str, *, may_view_output: bool = False) -> Snapshot:
    """Return what there is to show of ``jobs``, in four queries; one more for schedules, and one for seats.

    The user may or may not view output.
    """
    nodes = read_nodes(alias)
    slots = _by_job(_read_slots(jobs, alias))
    for slot in (slot for known in slots.values() for slot in known):
        slot.reason = reason_of(slot, may_view_output=may_view_output)
    ends, seats = _count_ends(jobs, alias, nodes.now), read_seats(jobs, alias)
    orders, last_ends = _read_orders(alias), read_last_ends(jobs, alias)
    of_job = {}
    for job in jobs:
        known = slots.get(job.pk, [])
        reported = [slot for slot in known if not nodes.is_late(slot)]
        restarts, failures = ends.get(job.pk, (0, 0))
        of_job[job.pk] = JobSnapshot(
            job,
            tuple(reported if nodes.live else known),
            is_late=not nodes.live,
            problem=problem_of(job, may_view_output=may_view_output),
            now=nodes.now,
            restarts=restarts,
            failures=failures,
            orders=tuple(order for order in orders if order.job_name == job.name),
            ends=tuple(last_ends.get(job.pk, ())),
            places=places_of(job, seats.get(job.pk, ()), nodes.nodes, nodes.now) if is_fleet(job) else (),
        )
    return Snapshot(nodes, of_job, tuple(order for order in orders if not order.job_name))


def _read_slots(jobs: Sequence[Job], alias: str) -> Iterable[Slot]:
    rows = Slot.objects.using(alias).order_by("index", "node_id").defer("samples")
    return rows.filter(job_id__in=[job.pk for job in jobs])


def _count_ends(jobs: Sequence[Job], alias: str, now: datetime) -> dict[int | None, tuple[int, int]]:
    """Return for each job how many runs ended recently other than by a stop, and how many of them failed."""
    rows = Run.objects.using(alias).filter(ended__gte=now - RESTARTS_WITHIN)
    if len(jobs) == 1:  # of many jobs, the index on the time alone answers; a list of ids would only slow it down
        rows = rows.filter(job_id=jobs[0].pk)
    ends = Count("outcome", filter=~Q(outcome__in=[Outcome.STOPPED.value, Outcome.MISSED.value]))
    failures = Count("outcome", filter=Q(outcome__in=[outcome.value for outcome in FAILURES]))
    counted = rows.order_by().values_list("job_id").annotate(ends=ends, failures=failures)
    return {job_id: (ends, failures) for job_id, ends, failures in counted}


def _read_orders(alias: str) -> list[Operation]:
    return list(Operation.objects.using(alias).filter(requested__gte=DatabaseNow() - ORDERS_WITHIN)[:MOST_ORDERS])


def _by_job(slots: Iterable[Slot]) -> dict[int | None, list[Slot]]:
    grouped: dict[int | None, list[Slot]] = {}
    for slot in slots:
        grouped.setdefault(slot.job_id, []).append(slot)
    return grouped

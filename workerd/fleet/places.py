"""The places of a fleet job: which node holds each, and why nobody holds one that is free."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from workerd.models import Job, Node, Seat
from workerd.models.clock import between
from workerd.wire.words import Scope, slot_name

from .nodes import is_silent, why_not

MOST_NODES_NAMED = 5


@dataclass(frozen=True, slots=True)
class Place:
    """One place of a job; ``seat`` is None where no node has made its row yet."""

    job: Job
    index: int
    seat: Seat | None
    holder: Node | None
    reason: str
    """Why it is free, or what is wrong with its holding; "" where all is well."""

    @property
    def name(self) -> str:
        return slot_name(self.job.name, self.index, self.job.processes)

    @property
    def is_held(self) -> bool:
        return self.seat is not None and self.seat.life is not None

    @property
    def is_wanted(self) -> bool:
        """Whether there should be a process."""
        return self.job.enabled and self.index < self.job.processes and not self.stopped_by

    @property
    def stopped_by(self) -> str:
        return self.seat.stopped_by if self.seat is not None else ""


def is_fleet(job: Job) -> bool:
    return job.scope == Scope.FLEET


def places_of(job: Job, seats: Iterable[Seat], nodes: Sequence[Node], now: datetime) -> tuple[Place, ...]:
    """Return the places that the job wants, and those beyond them that are still held."""
    by_index = {seat.index: seat for seat in seats}
    by_pk = {node.pk: node for node in nodes}
    beyond = sorted(index for index, seat in by_index.items() if index >= job.processes and seat.life is not None)
    found = []
    for index in (*range(job.processes), *beyond):
        seat = by_index.get(index)
        holder = by_pk.get(seat.node_id or 0) if seat is not None and seat.life is not None else None
        found.append(Place(job, index, seat, holder, _reason(job, index, seat, holder, nodes, now)))
    return tuple(found)


def _reason(  # noqa: PLR0917 - what a reason depends on
    job: Job, index: int, seat: Seat | None, holder: Node | None, nodes: Sequence[Node], now: datetime
) -> str:
    if seat is not None and seat.life is not None:
        return _of_held(job, index, seat, holder, now)
    if not job.enabled:
        return "its job is disabled"
    if seat is not None and seat.stopped_by:
        return f"stopped by {seat.stopped_by}"
    against = {node: why_not(node, job, now) for node in nodes}
    if not nodes:
        return "no node has ever reported"
    if all(against.values()):
        return f"no node may run it: {_list(against)}"
    return "a node that may run it takes it within seconds"


def _of_held(job: Job, index: int, seat: Seat, holder: Node | None, now: datetime) -> str:
    if index >= job.processes:
        return "its row wants fewer processes: it goes when its process has ended"
    if not job.enabled:
        return "its job is disabled: it is given up when its process has ended"
    if seat.stopped_by:
        return f"stopped by {seat.stopped_by}: it is given up when its process has ended"
    if holder is None:
        return "its node's row is gone: another node takes it over"
    if is_silent(holder, now):
        silence = "has never reported" if holder.pulse is None else f"is silent for {_seconds(holder.pulse, now)} s"
        return f"its node {silence}: another one takes it over after {seat.takeover_ms / 1000:g} s"
    if holder.draining:
        return "its node is draining: it is given up when its process has ended"
    return ""


def _seconds(moment: datetime, now: datetime) -> int:
    return int(between(moment, now).total_seconds())


def _list(against: dict[Node, str]) -> str:
    named = [f"{node} {words}" for node, words in list(against.items())[:MOST_NODES_NAMED]]
    more = len(against) - len(named)
    return "; ".join([*named, *([f"and {more} more"] if more else [])])

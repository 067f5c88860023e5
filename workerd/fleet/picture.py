"""One look at the whole fleet, in three queries whatever its size."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from workerd.models import Job, Node, Seat
from workerd.models.clock import DatabaseNow, read_now
from workerd.wire.rollout_seat import ROLLOUT_JOB
from workerd.wire.words import Scope

from .nodes import is_silent
from .places import Place, places_of


@dataclass(frozen=True, slots=True)
class Fleet:
    """Every node, every fleet job with its places, and the database's time at which they were read."""

    nodes: tuple[Node, ...]
    jobs: tuple[Job, ...]
    places: tuple[Place, ...]
    now: datetime
    rollout: Seat | None = None
    """The seat by which one node at a time drains or reloads; None while it is nobody's."""

    @property
    def live(self) -> tuple[Node, ...]:
        return tuple(node for node in self.nodes if not is_silent(node, self.now))

    @property
    def held(self) -> Counter[int]:
        """How many seats each node holds, by its primary key."""
        return Counter(place.holder.pk for place in self.places if place.holder is not None)

    def find(self, name: str) -> list[Node]:
        """Return the nodes that an operator's ``name`` means: name@host, or a name or a host alone."""
        exact = [node for node in self.nodes if str(node) == name]
        return exact or [node for node in self.nodes if name in {node.name, node.host}]


def read_fleet(alias: str) -> Fleet:
    """Return what the rows say of the fleet."""
    nodes = tuple(Node.objects.using(alias).annotate(read_at=DatabaseNow()).order_by("name", "host"))
    now: datetime = nodes[0].read_at if nodes else read_now(alias)
    jobs = tuple(Job.objects.using(alias).filter(scope=Scope.FLEET.value).order_by("name"))
    seats = seats_by_job(Seat.objects.using(alias).order_by("job_id", "index"))
    places = tuple(place for job in jobs for place in places_of(job, seats.get(job.pk, ()), nodes, now))
    rollout = next((seat for seat in seats.get(ROLLOUT_JOB, ()) if seat.life is not None), None)
    return Fleet(nodes, jobs, places, now, rollout)


def read_seats(jobs: Sequence[Job], alias: str) -> dict[int, list[Seat]]:
    """Return the seats of these jobs, by job; without a query where none of them is a fleet's."""
    fleet = [job.pk for job in jobs if job.scope == Scope.FLEET]
    if not fleet:
        return {}
    return seats_by_job(Seat.objects.using(alias).filter(job_id__in=fleet).order_by("job_id", "index"))


def seats_by_job(seats: Iterable[Seat]) -> dict[int, list[Seat]]:
    grouped: dict[int, list[Seat]] = {}
    for seat in seats:
        grouped.setdefault(seat.job_id, []).append(seat)
    return grouped

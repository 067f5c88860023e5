"""The choice after a look: the seats that this node claims, and why it does not have the others. Pure."""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from workerd.wire.lease import boot_time
from workerd.wire.rollout_seat import ROLLOUT, ROLLOUT_JOB
from workerd.wire.spec import JobSpec
from workerd.wire.words import Before

from .asked import Asked
from .bars import Bars
from .look import Look
from .nodes import Nodes
from .place import Me, NodeSeen, SeatSeen
from .placement import Patience, turns
from .reasons import Word, word_for
from .window import Place, Seen, Windows

ReadNodes = Callable[[], Mapping[int, NodeSeen]]
Places = Mapping[Place, JobSpec]


@dataclass
class Plan:
    """The deeds that follow from one look, at one server."""

    server: str
    claims: list[SeatSeen] = field(default_factory=list)
    missing: dict[Place, int] = field(default_factory=dict)
    """Seats to make, with their milliseconds."""
    unwanted: list[Place] = field(default_factory=list)
    """Free seats that no job of these rows wants."""
    left: list[SeatSeen] = field(default_factory=list)
    """The seats that an earlier life of this node has left, and this one cannot run."""
    words: dict[Place, Word] = field(default_factory=dict)


class Choice:
    """Remembers what earlier looks have shown."""

    def __init__(self, earlier: uuid.UUID | None, clock: Callable[[], float] = boot_time) -> None:
        self._earlier = earlier
        """A life of this very node that has surely ended, with all its processes."""
        self._clock = clock
        self._windows = Windows()
        self._patience = Patience()
        self._bars = Bars()
        self.nodes = Nodes()
        self._held: Mapping[Place, int] = {}
        """The node of each seat that is held, by the newest look."""

    def look(self, seen: Look, me: Me, asked: Asked, read_nodes: ReadNodes, *, counts: bool = True) -> Plan:
        """Take in a look, and return what follows for the seats that ``asked`` wants.

        The nodes are read where this one might take a seat, and now and then. ``counts`` is whether it was time for
        this look: others are due to an event that all nodes hear of, and nobody's patience ends by them.
        """
        places = asked.places
        if self._bars.is_first(seen.server):
            self.nodes.look(read_nodes(), self._clock())
        others = self.nodes.servers(me)
        if self._bars.is_another(seen.server, others):
            self._earlier = None  # another node may have taken what that life had, and this server have forgotten it
        self._bars.look(seen, places, others)
        self._windows.look(seen.server, seen.began, seen.ended, _windowed(seen, places))
        takeable = {place for place in places if self._may_take(seen.seats.get(place), me)}
        self._patience.look(takeable, counts=counts)
        self._held = {
            place: seat.node_id
            for place, seat in seen.seats.items()
            if not seat.is_free and seat.node_id is not None and place not in takeable and place != ROLLOUT
        }
        self._read_nodes(places, takeable, me, asked, read_nodes)
        return self._plan(seen, places, takeable, me, asked)

    @property
    def believed(self) -> str | None:
        """The server that has answered for long enough that nothing which another one has forgotten still runs."""
        return self._bars.believed

    @property
    def ripe_at(self) -> float:
        """When a look may show a seat to be taken over whose holder is not heard of."""
        return self._windows.ripe_at(self._clock())

    def taken_from(self, seat: SeatSeen) -> str:
        """Return the node that had the seat and was not heard of; "" where it was free, or left by this very node."""
        return "" if seat.is_free or self._is_left(seat) else self.nodes.label(seat.node_id)

    def before(self, seat: SeatSeen) -> Before:
        """Return how a seat stands that this node is about to take."""
        if self._is_left(seat):
            return Before.OURS
        return Before.FREE if seat.is_free else Before.SILENT

    def rank(self, place: Place, giver: int | None, me: Me, asked: Asked) -> int | None:
        """Return how many nodes come before this one for a seat that is free now, as far as is known without a look.

        None where this node is not to take it. Whoever has just given the seat up is not to have it back.
        """
        job = asked.places.get(place)
        if job is None or job.id is None:
            return None
        nodes = [pk for pk in self._eligible(job, me, asked) if pk != giver]
        held = {other: node for other, node in self._held.items() if other != place}
        return next((turn.rank for _, turn in turns(me.node_id, [place], held, {job.id: nodes})), None)

    def _may_take(self, seat: SeatSeen | None, me: Me) -> bool:
        if seat is None or seat.stopped_by or seat.life == me.life:
            return False
        now = self._clock()
        if seat.is_free and self._bars.is_barred(seat.place, now):
            return False
        return self._is_left(seat) or self._windows.may_take(seat.place, now)

    def _is_left(self, seat: SeatSeen) -> bool:
        return seat.life is not None and seat.life == self._earlier

    def _read_nodes(self, places: Places, takeable: set[Place], me: Me, asked: Asked, read_nodes: ReadNodes) -> None:
        pks = {me.node_id, *self._held.values()}
        might_take = any(self._may_run(places[place], me, asked) for place in takeable)
        if might_take or not self.nodes.are_known(pks, self._clock()):
            self.nodes.look(read_nodes(), self._clock(), pks)

    def _may_run(self, job: JobSpec, me: Me, asked: Asked) -> bool:
        return not asked.draining and job.id not in asked.declined and self.nodes.fits(me.node_id, job)

    def _eligible(self, job: JobSpec, me: Me, asked: Asked) -> list[int]:
        if job.id == ROLLOUT_JOB:  # it is nobody's who does not ask for it, and a drained node may have it
            return [me.node_id]
        return self.nodes.eligible(job, me, asked.declined, draining=asked.draining)

    def _plan(self, seen: Look, places: Places, takeable: set[Place], me: Me, asked: Asked) -> Plan:
        plan = Plan(seen.server)
        plan.missing = {place: _ms(job) for place, job in places.items() if place not in seen.seats}
        kept = {ROLLOUT, *places}
        plan.unwanted = [place for place, seat in seen.seats.items() if seat.is_free and place not in kept]
        jobs = {place[0]: places[place] for place in takeable}
        eligible = {pk: self._eligible(job, me, asked) for pk, job in jobs.items()}
        owners: dict[Place, int] = {}
        if ROLLOUT in takeable:
            owners[ROLLOUT] = me.node_id
            plan.claims.append(seen.seats[ROLLOUT])
        for place, turn in turns(me.node_id, takeable - {ROLLOUT}, self._held, eligible):
            owners[place], mine = turn.owner, seen.seats[place]
            if turn.rank is not None and (self._is_left(mine) or self._patience.may_claim(place, turn.rank)):
                plan.claims.append(mine)
        plan.left = [
            seat
            for place, seat in seen.seats.items()
            if self._is_left(seat) and (place not in places or me.node_id not in eligible.get(place[0], ()))
        ]
        plan.words = {
            place: word_for(seat, job, self.nodes, owners.get(place), me, is_takeable=place in takeable)
            for place, job in places.items()
            if (seat := seen.seats.get(place)) is not None
        }
        return plan


def _windowed(seen: Look, places: Places) -> dict[Place, Seen]:
    return {
        place: Seen(str(seat.life) if seat.life else None, seat.token, seat.beat, seat.takeover_ms / 1000)
        for place in places
        if (seat := seen.seats.get(place)) is not None
    }


def _ms(job: JobSpec) -> int:
    return int(job.takeover_after * 1000)

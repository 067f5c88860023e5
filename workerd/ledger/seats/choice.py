"""What this node does about the seats that a look shows: which it claims, and why it has not the others. Pure."""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from workerd.wire.lease import boot_time
from workerd.wire.rollout_seat import ROLLOUT, ROLLOUT_JOB
from workerd.wire.spec import JobSpec
from workerd.wire.words import Elsewhere

from .look import Look
from .nodes import Nodes
from .place import Me, SeatSeen
from .placement import Patience, turns
from .reasons import MINE, NOT_KNOWN, Word, held_by, nobody, stopped_by, to_take
from .requests import Asked
from .window import Place, Seen, Windows


@dataclass
class Plan:
    """What follows from one look, at one server."""

    server: str
    claims: list[SeatSeen] = field(default_factory=list)
    missing: dict[Place, int] = field(default_factory=dict)
    """Seats to make, with their milliseconds."""
    unwanted: list[Place] = field(default_factory=list)
    """Free seats that no job of these rows wants."""
    left: list[SeatSeen] = field(default_factory=list)
    """What an earlier life of this node has left, and this one cannot run."""
    words: dict[Place, Word] = field(default_factory=dict)


class Choice:
    """Remembers what earlier looks have shown."""

    def __init__(self, earlier: uuid.UUID | None, clock: Callable[[], float] = boot_time) -> None:
        self._earlier = earlier
        """A life of this very node that has surely ended, with all its processes."""
        self._clock = clock
        self._windows = Windows()
        self._patience = Patience()
        self._nodes = Nodes()
        self._server = ""
        self._held: dict[Place, float] = {}
        """By place that somebody held at the last look, his seconds."""
        self._barred: dict[Place, float] = {}
        """Until when a free seat is left alone, as the database may have forgotten who has it."""

    def look(self, seen: Look, me: Me, asked: Asked) -> Plan:
        """Take in a look, and return what follows for the seats that ``asked`` wants."""
        places = {(job.id or 0, index): job for job in asked.wanted.jobs for index in range(job.processes)}
        self._nodes.look(seen)
        self._bar(seen, places)
        self._windows.look(seen.server, seen.began, seen.ended, _windowed(seen, places))
        takeable = {place for place in places if self._may_take(seen.seats.get(place), me)}
        self._patience.look(takeable)
        plan = Plan(seen.server)
        plan.missing = {place: _ms(job) for place, job in places.items() if place not in seen.seats}
        plan.unwanted = [
            place for place, seat in seen.seats.items() if seat.is_free and place not in places and place != ROLLOUT
        ]
        eligible = self._eligible(places, takeable, me, asked)
        owners = self._claim(plan, seen, me, takeable, eligible)
        self._give_back(plan, seen, places, eligible, me)
        plan.words = {
            place: self._word(seen.seats[place], job, owners.get(place), me, is_takeable=place in takeable)
            for place, job in places.items()
            if place in seen.seats
        }
        return plan

    def taken_from(self, seat: SeatSeen) -> str:
        """Return the node that had the seat and was not heard of; "" where it was free, or left by this very node."""
        return "" if seat.is_free or self._is_left(seat) else self._nodes.label(seat.node_id)

    def _may_take(self, seat: SeatSeen | None, me: Me) -> bool:
        if seat is None or seat.stopped_by or seat.life == me.life:
            return False
        now = self._clock()
        if seat.is_free and now < self._barred.get(seat.place, 0.0):
            return False
        return self._is_left(seat) or self._windows.may_take(seat.place, now)

    def _is_left(self, seat: SeatSeen) -> bool:
        return seat.life is not None and seat.life == self._earlier

    def _eligible(
        self, places: Mapping[Place, JobSpec], takeable: set[Place], me: Me, asked: Asked
    ) -> dict[int, list[int]]:
        jobs = {place[0]: places[place] for place in takeable if place != ROLLOUT}
        found = {pk: self._nodes.eligible(job, me, asked.declined, draining=asked.draining) for pk, job in jobs.items()}
        return found | {ROLLOUT_JOB: [me.node_id]}  # it is nobody's who does not ask for it, and a drained node may

    def _claim(
        self, plan: Plan, seen: Look, me: Me, takeable: set[Place], eligible: Mapping[int, list[int]]
    ) -> dict[Place, int]:
        """Plan the claims; return to which node each seat belongs that may be taken."""
        owners: dict[Place, int] = {}
        held = {
            place: seat.node_id
            for place, seat in seen.seats.items()
            if not seat.is_free and seat.node_id is not None and place not in takeable and place != ROLLOUT
        }
        if ROLLOUT in takeable:
            owners[ROLLOUT] = me.node_id
            plan.claims.append(seen.seats[ROLLOUT])
        for place, turn in turns(me.node_id, takeable - {ROLLOUT}, held, eligible):
            owners[place], seat = turn.owner, seen.seats[place]
            if turn.rank is None:
                continue
            if self._is_left(seat) or self._patience.may_claim(place, turn.rank):
                plan.claims.append(seat)
        return owners

    def _give_back(
        self,
        plan: Plan,
        seen: Look,
        places: Mapping[Place, JobSpec],
        eligible: Mapping[int, list[int]],
        me: Me,
    ) -> None:
        for place, seat in seen.seats.items():
            if self._is_left(seat) and (place not in places or me.node_id not in eligible.get(place[0], ())):
                plan.left.append(seat)

    def _bar(self, seen: Look, places: Mapping[Place, JobSpec]) -> None:
        """Let be, for a while, what vanished while somebody had it, and what is free at a server that is new."""
        gone = {place: seconds for place, seconds in self._held.items() if place not in seen.seats}
        if self._server and seen.server != self._server:
            gone |= {
                place: job.takeover_after
                for place, job in places.items()
                if place in seen.seats and seen.seats[place].is_free
            }
        self._held = {place: seat.takeover_ms / 1000 for place, seat in seen.seats.items() if not seat.is_free}
        barred = self._barred | {place: seen.ended + seconds for place, seconds in gone.items()}
        self._barred = {
            place: until for place, until in barred.items() if until > seen.ended and place not in self._held
        }
        self._server = seen.server or self._server

    def _word(self, seat: SeatSeen, job: JobSpec, owner: int | None, me: Me, *, is_takeable: bool) -> Word:
        """Return why this node does not have the seat, and who has."""
        has_holder = not (seat.is_free or is_takeable)
        no_holder = Elsewhere.FREE if self._nodes.fits(me.node_id, job) else Elsewhere.UNFIT
        if seat.stopped_by:
            return Word(stopped_by(seat.stopped_by), (Elsewhere.HELD if has_holder else Elsewhere.UNFIT).value)
        if seat.life == me.life:
            return MINE
        if has_holder:
            return Word(held_by(self._nodes.label(seat.node_id), seat.held_s), Elsewhere.HELD.value)
        if not is_takeable:
            return Word(NOT_KNOWN, no_holder.value)
        reason = to_take(self._nodes.label(owner)) if owner is not None else self._nobody(job, me)
        return Word(reason, no_holder.value)

    def _nobody(self, job: JobSpec, me: Me) -> str:
        living = self._nodes.living(job.takeover_after, me)
        return nobody(job, fits=any(self._nodes.fits(pk, job) for pk in living))


def _windowed(seen: Look, places: Mapping[Place, JobSpec]) -> dict[Place, Seen]:
    return {
        place: Seen(str(seat.life) if seat.life else None, seat.token, seat.beat, seat.takeover_ms / 1000)
        for place in places
        if (seat := seen.seats.get(place)) is not None
    }


def _ms(job: JobSpec) -> int:
    return int(job.takeover_after * 1000)

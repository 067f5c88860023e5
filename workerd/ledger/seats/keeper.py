"""The keeper: a thread that renews the seats of this life, looks at all of them, and claims and releases.

It asks the database alone, on a connection of its own, so that no batch of records delays it. While the database is
out it says nothing: the daemon's deadlines do the rest.
"""

import random
import traceback
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from django.db import Error

from workerd.forksafe.db_errors import DatabaseFault, classify
from workerd.forksafe.events import emit
from workerd.ledger.availability import describe
from workerd.ledger.receiver import DaemonGoneError
from workerd.wire.backoff import Backoff
from workerd.wire.lease import boot_time, renewal_interval
from workerd.wire.messages import Alive, Message, NodeDisplaced, SeatsHeld, SeatsStopped
from workerd.wire.rollout_seat import ROLLOUT

from .choice import Choice, Plan
from .claims import claim, delete_unwanted, make, release
from .look import look
from .memory import note, remember
from .place import Held, Me
from .reasons import MINE, Told
from .renewal import DisplacedError, OwnRow, UnregisteredError, renew, write_draining
from .requests import Asked, Requests, is_fresh
from .session import Session, patience
from .stopped import Stopped
from .takeovers import Takeovers
from .window import Place

LEAST_FRESH_S = 2.0
"""The daemon says each second that it turns; so much later it may be heard."""
SWEEP_S = 60.0
IDLE_S = 60.0
FIRST_RETRY_S = 0.25


@dataclass(frozen=True)
class Home:
    """What stays the same while the ledger runs."""

    alias: str
    life: uuid.UUID
    earlier: uuid.UUID | None
    labels: str


class Keeper:
    """One for each time that there are fleet jobs. ``run`` is the thread."""

    def __init__(self, home: Home, requests: Requests, send: Callable[[Message], None]) -> None:
        self._home = home
        self._requests = requests
        self._send = send
        self._choice = Choice(home.earlier)
        self._takeovers = Takeovers()
        self._stopped = Stopped()
        self._told = Told()
        self._held: list[Held] = []
        self._remembered: set[tuple[Place, int]] = set()
        self._interval = renewal_interval(0)
        self._session: Session | None = None
        self._patience_s = 0.0
        self._renew_at = self._look_at = self._retry_at = self._sweep_at = 0.0
        self._backoff = Backoff(FIRST_RETRY_S, 1.0)
        self._confirmed = self._draining = False
        self._out_since: float | None = None
        self._failures = 0

    def run(self) -> None:
        """Go on until nothing is wanted and nothing held, or the ledger ends, or the daemon is gone."""
        goes_on = True
        while goes_on:
            look_asked = self._requests.wait(self._due_in())
            try:
                goes_on = self._goes_on(look_asked=look_asked)
            except Exception as error:  # noqa: BLE001 - a fault of ours must not end the renewals; an event says it
                self._broke(error)
            goes_on = goes_on and not self._requests.leave(holds=bool(self._held))
        if self._session is not None:
            self._session.close()

    def _goes_on(self, *, look_asked: bool) -> bool:
        """Take one turn; return False where there is nobody left to tell of another."""
        try:
            self._turn(look_asked=look_asked)
        except DaemonGoneError:
            return False
        except DisplacedError as error:
            self._displaced(error)
            return False
        except UnregisteredError:
            self._retry_at = boot_time() + self._interval  # the ledger's pulse makes the row anew
        except (Error, OSError) as error:
            self._failed(error)
        return True

    def _due_in(self) -> float:
        asked = self._requests.take()
        if asked.wanted.node_id is None:
            return IDLE_S
        return max(self._retry_at, min(self._renew_at, self._look_at)) - boot_time()

    def _turn(self, *, look_asked: bool) -> None:
        asked = self._requests.take()
        session = self._pace(asked)
        now = boot_time()
        if now < self._retry_at and not asked.ended:
            return
        self._note(session, asked)
        me = Me(asked.wanted.node_id, self._home.life) if asked.wanted.node_id is not None else None
        if me is not None and self._draining != asked.draining:
            write_draining(session, me, draining=asked.draining)
            self._draining = asked.draining
        self._release(session, asked)
        if me is None or asked.ended:
            return
        fresh = is_fresh(asked.alive, max(self._interval, LEAST_FRESH_S))
        self._requests.await_daemon(awaited=not fresh)
        if now >= self._renew_at or (fresh and not self._confirmed):
            self._renew_at = now + self._spread()
            self._confirmed = self._confirmed and fresh
            if fresh and asked.alive is not None:
                self._renew(session, me, asked, asked.alive)
        if look_asked or now >= self._look_at:
            self._look_at = now + self._spread()
            self._look(session, me, asked, may_claim=fresh and self._confirmed)

    def _pace(self, asked: Asked) -> Session:
        """Go by the shortest ``takeover_after`` of what is wanted and held; return the connection for it."""
        seconds = [job.takeover_after for job in asked.wanted.jobs] + [seat.takeover_ms / 1000 for seat in self._held]
        shortest = min(seconds, default=30.0)
        self._interval = renewal_interval(shortest)
        if self._session is None or self._patience_s != patience(shortest):
            if self._session is not None:
                self._session.close()
            self._patience_s = patience(shortest)
            self._session = Session(self._home.alias, self._patience_s)
        return self._session

    def _spread(self) -> float:
        return self._interval * random.uniform(0.8, 1.0)

    # what needs the database

    def _note(self, session: Session, asked: Asked) -> None:
        for settled in asked.settled:
            noted = note(session, settled, self._home.life)
            self._requests.noted(settled)
            if noted is not None:
                self._send(noted)

    def _remember(self, session: Session, place: Place, token: int, asked: Asked) -> None:
        """Tell what the holder before has left of a scheduled seat, before the daemon hears that it has it."""
        if (place, token) not in self._remembered:
            if any(job.id == place[0] and job.schedule for job in asked.wanted.jobs):
                self._send(remember(session, place, token))
            self._remembered.add((place, token))

    def _release(self, session: Session, asked: Asked) -> None:
        for place, token in sorted(asked.releases):
            release(session, place, token, self._home.life)
            self._held = [seat for seat in self._held if (seat.place, seat.token) != (place, token)]
            self._requests.released([(place, token)])

    def _renew(self, session: Session, me: Me, asked: Asked, alive: Alive) -> None:
        wanted = _wanted_ms(asked)
        to_write = self._takeovers.to_write(self._held, wanted, alive)
        own = OwnRow(self._home.labels, asked.draining)
        sent = boot_time()
        self._held = renew(session, me, own, to_write)
        told = {
            seat.place: self._takeovers.to_tell(seat, wanted.get(seat.place, seat.takeover_ms)) for seat in self._held
        }
        lost = self._stopped.look(self._held, _stop_timeouts(asked), sent)
        kept = [seat for seat in self._requests.kept(self._held) if seat.place not in lost]
        for seat in kept:
            self._remember(session, seat.place, seat.token, asked)
        self._remembered &= {(seat.place, seat.token) for seat in self._held}
        self._send(SeatsHeld(sent, [_told(seat.place, seat.token, told[seat.place]) for seat in kept]))
        for message in _told_of_stops(self._held):
            self._send(message)
        self._takeovers.tell(told, sent)
        self._answered()
        for seat in self._stopped.over(self._held, alive):
            release(session, seat.place, seat.token, me.life)

    def _look(self, session: Session, me: Me, asked: Asked, *, may_claim: bool) -> None:
        plan = self._choice.look(look(session), me, asked)
        if plan.missing:
            make(session, plan.missing)
            self._look_at = 0.0
        if may_claim:
            self._claim(session, plan, me, asked)
            for seat in plan.left:
                release(session, seat.place, seat.token, seat.life)
        for message in self._told.tell(plan.words):
            self._send(message)
        if plan.unwanted and boot_time() >= self._sweep_at:
            self._sweep_at = boot_time() + SWEEP_S
            delete_unwanted(session, plan.unwanted)

    def _claim(self, session: Session, plan: Plan, me: Me, asked: Asked) -> None:
        wanted = _wanted_ms(asked)
        for seat in plan.claims:
            now = self._requests.take()
            if now.ended or (now.draining and seat.place != ROLLOUT):
                return
            if boot_time() >= self._renew_at:  # what is held comes first
                self._look_at = 0.0
                return
            sent, ms = boot_time(), wanted[seat.place]
            token = claim(session, seat, plan.server, me, ms)
            if token is not None:
                self._remember(session, seat.place, token, asked)
                self._held.append(Held(seat.place, token, ms, ""))
                taken_from = self._choice.taken_from(seat)
                self._send(SeatsHeld(sent, [[*_told(seat.place, token, ms), taken_from]], whole=False))
                plan.words[seat.place] = MINE

    # what becomes of errors

    def _answered(self) -> None:
        """Note a confirmed renewal; after an outage, let the looks of all nodes be spread."""
        self._backoff.reset()
        self._failures = 0
        if self._out_since is not None:
            now = boot_time()
            self._look_at = now + self._interval * random.random()
            emit("seats.confirmed", seconds=round(now - self._out_since, 1))
            self._out_since = None
        self._confirmed = True

    def _failed(self, error: BaseException) -> None:
        """Set the time of the next try, on a new connection unless a lock was in the way."""
        fault, now = classify(error), boot_time()
        self._failures += 1
        self._renew_at = self._look_at = 0.0
        self._retry_at = now + self._backoff.next() * random.uniform(0.5, 1.0)
        if self._session is None or (fault is DatabaseFault.BUSY and self._failures == 1):
            return
        self._confirmed = False
        if fault is not DatabaseFault.BUSY:
            self._session.close()
        if self._failures > 1 and self._out_since is None:
            self._out_since = now
            emit("seats.unconfirmed", reason=describe(self._session.connection, fault, error))
            for message in self._told.database_out():
                self._send(message)

    def _broke(self, error: Exception) -> None:
        emit("seats.failed", reason=f"{type(error).__name__}: {error}", traceback=traceback.format_exc())
        self._confirmed = False
        self._renew_at = self._look_at = 0.0
        self._retry_at = boot_time() + self._interval
        if self._session is not None:
            self._session.forget()
            self._session = None  # whatever state its connection is in: the next one closes it

    def _displaced(self, error: DisplacedError) -> None:
        with suppress(DaemonGoneError):
            self._send(NodeDisplaced(str(error), str(error.life)))


def _told_of_stops(held: Sequence[Held]) -> Iterator[SeatsStopped]:
    """Yield which of the seats an operator has stopped, whichever node's daemon was told: they are to be given up."""
    for who in sorted({seat.stopped_by for seat in held if seat.stopped_by}):
        yield SeatsStopped([[*seat.place] for seat in held if seat.stopped_by == who], who)


def _wanted_ms(asked: Asked) -> Mapping[Place, int]:
    return {
        (job.id or 0, index): int(job.takeover_after * 1000)
        for job in asked.wanted.jobs
        for index in range(job.processes)
    }


def _stop_timeouts(asked: Asked) -> Mapping[Place, float]:
    return {(job.id or 0, index): job.stop_timeout for job in asked.wanted.jobs for index in range(job.processes)}


def _told(place: Place, token: int, ms: int) -> list[int | float]:
    return [*place, token, ms / 1000]

"""The seats of this life: renewed, told to the daemon, and given up."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from workerd.wire.lease import boot_time
from workerd.wire.messages import Alive, Message, SeatsHeld, SeatsStopped
from workerd.wire.words import Before

from .asked import Asked
from .claims import release
from .home import Home
from .memory import note, remember
from .place import Held, Me
from .renewal import OwnRow, read_believed, renew
from .requests import Requests
from .returned import Returned
from .session import Session
from .stopped import Stopped
from .takeovers import Takeovers
from .window import Place


class Holder:
    """Knows what this life holds, by the newest renewal and the claims since."""

    def __init__(self, home: Home, requests: Requests, send: Callable[[Message], None]) -> None:
        self._home = home
        self._requests = requests
        self._send = send
        self._takeovers = Takeovers()
        self._returned = Returned()
        self._stopped = Stopped()
        self._remembered: set[tuple[Place, int]] = set()
        self._has_begun = False
        self.held: list[Held] = []
        self.believed: str | None = None
        """The server that this node's row is to say it believes, None for the one that it says."""

    @property
    def holds(self) -> bool:
        """Whether there is a seat to be given up some time."""
        return bool(self.held or self._returned.places)

    @property
    def in_question(self) -> set[Place]:
        """The seats that a server has given back to this life, and another may have."""
        return self._returned.places

    def reach(self, server: str) -> None:
        """Note which server has answered."""
        self._returned.reach(server)

    def note(self, session: Session, asked: Asked) -> None:
        """Write what has become of the due moments of seats."""
        for settled in asked.settled:
            noted = note(session, settled, self._home.life)
            self._requests.noted(settled)
            if noted is not None:
                self._send(noted)

    def release(self, session: Session, asked: Asked) -> None:
        """Give up what the daemon has released."""
        for place, token in sorted(asked.releases):
            if self._returned.release(place, token):
                release(session, place, token, self._home.life, asked.wanted.node_id, self._returned.server)
            self.held = [seat for seat in self.held if (seat.place, seat.token) != (place, token)]
            self._requests.released([(place, token)])

    def renew(self, session: Session, me: Me, asked: Asked, alive: Alive) -> None:
        """Renew all, and tell the daemon what is held."""
        if not self._has_begun:
            self._returned.begin(read_believed(session, me))
            self._has_begun = True
        wanted = wanted_ms(asked)
        to_write = self._takeovers.to_write(self.held, wanted, alive)
        own = OwnRow(self._home.labels, asked.draining, server=self.believed)
        sent = boot_time()
        self.held = self._returned.sort(renew(session, me, own, to_write), asked.wanted.jobs, boot_time)
        told = {
            seat.place: self._takeovers.to_tell(seat, wanted.get(seat.place, seat.takeover_ms)) for seat in self.held
        }
        for seat in self.held:
            self._returned.confirm(seat.place, seat.token, sent, told[seat.place] / 1000)
        lost = self._stopped.look(self.held, _stop_timeouts(asked), sent)
        kept = [seat for seat in self._requests.kept(self.held) if seat.place not in lost]
        for seat in kept:
            self._remember(session, seat.place, seat.token, asked)
        self._remembered &= {(seat.place, seat.token) for seat in self.held}
        self._send(SeatsHeld(sent, [_told(seat.place, seat.token, told[seat.place]) for seat in kept]))
        for message in _told_of_stops(self.held):
            self._send(message)
        self._takeovers.tell(told, sent)

    def give_up(self, session: Session, me: Me, alive: Alive) -> None:
        """Give up what an operator has stopped and no process runs for, and what was given back for long enough."""
        for seat in self._stopped.over(self.held, alive):
            release(session, seat.place, seat.token, me.life, me.node_id)
        for place, token in self._returned.over(boot_time()):
            release(session, place, token, me.life, me.node_id)

    def attempt(self, place: Place, token: int, sent: float, seconds: float) -> None:
        """Note that a seat is being claimed, before it is known what comes of it."""
        self._returned.claim(place, token, sent, seconds)

    def take(self, session: Session, held: Held, sent: float, before: tuple[str, Before], asked: Asked) -> None:
        """Tell the daemon of a seat that was claimed: ``before`` has whose it was, and how it stood."""
        self._remember(session, held.place, held.token, asked)
        self.held.append(held)
        self._send(SeatsHeld(sent, [[*_told(held.place, held.token, held.takeover_ms), *before]], whole=False))

    def _remember(self, session: Session, place: Place, token: int, asked: Asked) -> None:
        """Tell what the holder before has left of a scheduled seat, before the daemon hears that it has it."""
        if (place, token) not in self._remembered:
            if any(job.id == place[0] and job.schedule for job in asked.wanted.jobs):
                self._send(remember(session, place, token))
            self._remembered.add((place, token))


def wanted_ms(asked: Asked) -> Mapping[Place, int]:
    """Return the time of each wanted seat, by its job's row."""
    return {place: int(job.takeover_after * 1000) for place, job in asked.places.items()}


def _stop_timeouts(asked: Asked) -> Mapping[Place, float]:
    return {place: job.stop_timeout for place, job in asked.places.items()}


def _told_of_stops(held: Sequence[Held]) -> Iterator[SeatsStopped]:
    """Yield which of the seats an operator has stopped, whichever node's daemon was told: they are to be given up."""
    for who in sorted({seat.stopped_by for seat in held if seat.stopped_by}):
        yield SeatsStopped([[*seat.place] for seat in held if seat.stopped_by == who], who)


def _told(place: Place, token: int, ms: int) -> list[int | float]:
    return [*place, token, ms / 1000]

"""Seats that a server gives back to this life, as it has forgotten who has had them since.

After a failover the rows of the last moments may be missing: a seat that this life has released or lost is its own
again by the row, while another node's process still runs. So what another server says counts only where nobody can
have taken the seat meanwhile; the rest is left alone for ``takeover_after``, by when that process has ended, and then
released, to be claimed with a new token.
"""

from collections.abc import Callable, Iterable

from workerd.wire.lease import boot_time, untaken_until
from workerd.wire.spec import JobSpec
from workerd.wire.words import WithoutDatabase

from .place import Held
from .renewal import Renewed
from .window import Place

ATTEMPT_S = 60.0
"""A claim whose answer was lost is committed within this time, or never."""

Key = tuple[Place, int]


class Returned:
    """The knowledge of this life about its holdings, from its own statements. Times are boot-time seconds."""

    def __init__(self) -> None:
        self.server = ""
        """The one that answered last; "" where that is not known."""
        self._trusts_all = True
        """The first server has forgotten nothing, for all that is known; so a new ledger knows what its life holds.

        It begins with the server that the ledger before believed, as the node's row has it.
        """
        self._proven: set[Key] = set()
        self._untaken: dict[Key, float] = {}
        """Until when nobody can have taken what was confirmed."""
        self._attempts: dict[Key, float] = {}
        self._released: set[Key] = set()
        """At this server; it may have done so although no answer came."""
        self._let_go: dict[Key, float] = {}
        """By what was given back: when it is to be released."""

    @property
    def places(self) -> set[Place]:
        return {place for place, _token in self._let_go}

    def begin(self, believed: str) -> None:
        """Note which server the ledger before believed, "" for none: before the first renewal, maybe after a look."""
        seen, self.server = self.server, believed or self.server
        self.reach(seen)

    def reach(self, server: str) -> None:
        """Note which server has answered; "" where that is not known."""
        if server and self.server and server != self.server:
            self._trusts_all = False
            self._proven.clear()
            self._released.clear()
            self._let_go.clear()  # it may give back what was released since, and claimed anew
        self.server = server or self.server

    def claim(self, place: Place, token: int, sent: float, seconds: float) -> None:
        """Note that a seat is being claimed, before it is known what comes of it."""
        self._attempts = {key: at for key, at in self._attempts.items() if sent - at < ATTEMPT_S}
        self._attempts[place, token] = sent
        self._proven.add((place, token))
        self._untaken[place, token] = untaken_until(sent, seconds)

    def sort(self, renewed: Renewed, jobs: Iterable[JobSpec], clock: Callable[[], float] = boot_time) -> list[Held]:
        """Return what this life holds of what a renewal has found, whose answer is here."""
        self.reach(renewed.server)
        now, by_id = clock(), {job.id: job for job in jobs}
        found = {(seat.place, seat.token): seat for seat in renewed.held}
        mine = {key: seat for key, seat in found.items() if self._is_mine(key, by_id.get(key[0][0]), now)}
        self._let_go = {
            key: self._let_go.get(key, now + _longest(seat, by_id.get(seat.place[0])))
            for key, seat in found.items()
            if key not in mine
        }
        self._proven = {*mine, *(self._proven & self._attempts.keys())}
        self._released &= found.keys()
        self._untaken = {key: until for key, until in self._untaken.items() if key in mine or key in self._attempts}
        return list(mine.values())

    def confirm(self, place: Place, token: int, sent: float, seconds: float) -> None:
        """Note what a renewal that was sent then has confirmed."""
        self._untaken[place, token] = untaken_until(sent, seconds)

    def release(self, place: Place, token: int) -> bool:
        """Return whether the server may be told that the seat is free; from then on another one's word says nothing."""
        key = place, token
        if not (self._trusts_all or key in self._proven | self._released or key in self._untaken):
            return False
        self._released.add(key)
        self._proven.discard(key)
        self._untaken.pop(key, None)
        self._attempts.pop(key, None)
        return True

    def over(self, now: float) -> list[Key]:
        """Return what was given back and is to be released."""
        return [key for key, until in self._let_go.items() if now >= until]

    def _is_mine(self, key: Key, job: JobSpec | None, now: float) -> bool:
        if self._trusts_all or key in self._proven:
            return True
        goes_on = job is not None and job.without_database == WithoutDatabase.GO_ON
        return key in self._untaken and (now < self._untaken[key] or goes_on)


def _longest(seat: Held, job: JobSpec | None) -> float:
    return max(seat.takeover_ms / 1000, job.takeover_after if job is not None else 0.0)

"""The free seats that are left alone for a while, as the database may have forgotten who has them. Pure.

A keeper that has just begun knows no server, and after a failover it may be the first to look at the new one: a seat
that is free there may have been taken just before, by a node whose process runs. So each node's row says which server
that node believes: the one that has answered for as long as any seat takes to be given up. The first server that is not
the one which every other node believes is another one for a new keeper too.
"""

from collections.abc import Collection, Mapping

from workerd.wire.spec import JobSpec

from .look import Look
from .window import Place

NOBODY: frozenset[str] = frozenset()


class Bars:
    """Remembers who had seats at the last look."""

    def __init__(self) -> None:
        self._server = ""
        self._held: dict[Place, float] = {}
        """By place that somebody held at the last look, his seconds."""
        self._tokens: dict[Place, int] = {}
        self._until: dict[Place, float] = {}
        self._believed_at = 0.0
        self.believed: str | None = None
        """The server of the last looks, once nothing runs any more that it may have forgotten."""

    def look(self, seen: Look, wanted: Mapping[Place, JobSpec], others: Collection[str] = NOBODY) -> None:
        """Take in a look: bar what vanished while somebody had it, and what nobody has at a server that is new.

        ``others`` are the servers that the other nodes believe.
        """
        gone = {place: seconds for place, seconds in self._held.items() if self._has_vanished(place, seen)}
        if self.is_another(seen.server, others):
            gone |= {
                place: job.takeover_after
                for place, job in wanted.items()
                if place not in seen.seats or seen.seats[place].is_free
            }
            self._believed_at = seen.ended + _longest(seen, wanted)
        self._held = {place: seat.takeover_ms / 1000 for place, seat in seen.seats.items() if not seat.is_free}
        self._tokens = {place: seen.seats[place].token for place in self._held}
        until = self._until | {place: seen.ended + seconds for place, seconds in gone.items()}
        self._until = {place: at for place, at in until.items() if at > seen.ended and place not in self._held}
        self._server = seen.server or self._server
        self.believed = self._server if self._server and seen.ended >= self._believed_at else None

    def is_first(self, server: str) -> bool:
        """Return whether no look before this one has shown a server."""
        return bool(server) and not self._server

    def is_another(self, server: str, others: Collection[str] = NOBODY) -> bool:
        """Return whether it is not the server of the look before, or, at first, that of the other nodes.

        As far as each is known.
        """
        known = {self._server} if self._server else {*others}
        return bool(server) and bool(known - {server})

    def is_barred(self, place: Place, now: float) -> bool:
        return now < self._until.get(place, 0.0)

    def _has_vanished(self, place: Place, seen: Look) -> bool:
        """Return whether the row is gone, or was made anew since: a token only grows."""
        return place not in seen.seats or seen.seats[place].token < self._tokens[place]


def _longest(seen: Look, wanted: Mapping[Place, JobSpec]) -> float:
    """Return the longest time in which any seat may be taken over."""
    held = [seat.takeover_ms / 1000 for seat in seen.seats.values()]
    return max([*held, *(job.takeover_after for job in wanted.values())], default=0.0)

"""The free seats that are left alone for a while, as the database may have forgotten who has them. Pure."""

from collections.abc import Mapping

from workerd.wire.spec import JobSpec

from .look import Look
from .window import Place


class Bars:
    """Remembers who had seats at the last look."""

    def __init__(self) -> None:
        self._server = ""
        self._held: dict[Place, float] = {}
        """By place that somebody held at the last look, his seconds."""
        self._tokens: dict[Place, int] = {}
        self._until: dict[Place, float] = {}

    def look(self, seen: Look, wanted: Mapping[Place, JobSpec]) -> None:
        """Take in a look: bar what vanished while somebody had it, and what is free at a server that is new."""
        gone = {place: seconds for place, seconds in self._held.items() if self._has_vanished(place, seen)}
        if self._server and seen.server != self._server:
            gone |= {
                place: job.takeover_after
                for place, job in wanted.items()
                if place in seen.seats and seen.seats[place].is_free
            }
        self._held = {place: seat.takeover_ms / 1000 for place, seat in seen.seats.items() if not seat.is_free}
        self._tokens = {place: seen.seats[place].token for place in self._held}
        until = self._until | {place: seen.ended + seconds for place, seconds in gone.items()}
        self._until = {place: at for place, at in until.items() if at > seen.ended and place not in self._held}
        self._server = seen.server or self._server

    def is_another(self, server: str) -> bool:
        """Return whether it is not the server of the look before, as far as both are known."""
        return bool(self._server and server) and server != self._server

    def is_barred(self, place: Place, now: float) -> bool:
        return now < self._until.get(place, 0.0)

    def _has_vanished(self, place: Place, seen: Look) -> bool:
        """Return whether the row is gone, or was made anew since: a token only grows."""
        return place not in seen.seats or seen.seats[place].token < self._tokens[place]

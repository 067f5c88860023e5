"""Seats that were stopped in the whole fleet while this life has them: given up, should the daemon not know of it.

A daemon that was given the order gives its seat up by itself, and takes the time that its process needs.
"""

from collections.abc import Mapping, Sequence

from workerd.wire.lease import renewal_interval
from workerd.wire.messages import Alive

from .place import Held
from .window import Place


class Stopped:
    """Since when each of them is stopped, and since when the daemon is told that it does not have it."""

    def __init__(self) -> None:
        self._since: dict[Place, float] = {}
        self._lost_since: dict[Place, float] = {}

    def look(self, held: Sequence[Held], stop_timeouts: Mapping[Place, float], now: float) -> set[Place]:
        """Take in a renewal's answer; return what the daemon is to lose, as it has had the time to stop it."""
        stopped = [seat for seat in held if seat.stopped_by]
        self._since = {seat.place: self._since.get(seat.place, now) for seat in stopped}
        lost = {
            seat.place
            for seat in stopped
            if now > self._since[seat.place] + stop_timeouts.get(seat.place, 0.0) + _answer_time(seat)
        }
        self._lost_since = {place: self._lost_since.get(place, now) for place in lost}
        return lost

    def over(self, held: Sequence[Held], alive: Alive) -> list[Held]:
        """Return those that the daemon has lost, and that no process runs for."""
        running = {(job_id, index) for job_id, index, *_ in alive.seats}
        return [
            seat
            for seat in held
            if seat.place in self._lost_since
            and seat.place not in running
            and alive.now > self._lost_since[seat.place] + _answer_time(seat)
        ]


def _answer_time(seat: Held) -> float:
    return 2 * renewal_interval(seat.takeover_ms / 1000)

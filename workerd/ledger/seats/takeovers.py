"""The ``takeover_after`` that counts for a held seat while an edit changes it: nobody may count with too much.

The row's is what another node waits; the one told to the daemon is what its process may live. So the row is the first
to grow, and the last to shrink: only when the daemon's own deadline shows that it counts with the shorter time.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from workerd.wire.lease import hold_time, renewal_interval
from workerd.wire.messages import Alive

from .place import Held
from .window import Place


class Takeovers:
    """The ``takeover_after`` of each seat that the daemon was told, and since when it has been so."""

    def __init__(self) -> None:
        self._told: dict[Place, tuple[int, float]] = {}

    def to_tell(self, held: Held, wanted_ms: int) -> int:
        """Return the milliseconds that count for the process."""
        return min(held.takeover_ms, wanted_ms)

    def tell(self, told: Mapping[Place, int], sent: float) -> None:
        """Note what the daemon was told of all seats; ``sent`` is when the renewal was."""
        before = self._told
        self._told = {
            place: (ms, before[place][1] if place in before and before[place][0] == ms else sent)
            for place, ms in told.items()
        }

    def to_write(self, held: Sequence[Held], wanted: Mapping[Place, int], alive: Alive) -> dict[Place, int]:
        """Return what the next renewal is to write into rows, by place."""
        deadlines = {(job_id, index): deadline for job_id, index, _, _, _, deadline, *_ in alive.seats}
        return {
            seat.place: ms
            for seat in held
            if (ms := wanted.get(seat.place, seat.takeover_ms)) != seat.takeover_ms
            and (ms > seat.takeover_ms or self._counts(seat.place, ms, alive, deadlines))
        }

    def _counts(self, place: Place, ms: int, alive: Alive, deadlines: Mapping[Place, Any]) -> bool:
        """Return whether the daemon surely counts with the shorter time by now."""
        told_ms, since = self._told.get(place, (0, 0.0))
        seconds = ms / 1000
        if told_ms != ms or alive.now < since + renewal_interval(seconds):
            return False
        deadline = deadlines.get(place, 0.0)
        return deadline is not None and deadline <= alive.now + hold_time(seconds)

"""The seats as they are known between looks: of one that has not changed hands, a look reads the beat alone. Pure."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from .place import SeatSeen
from .window import Place


class Short(NamedTuple):
    """The columns that a look reads of every seat: all that a window compares; the token stands for the life."""

    pk: int
    token: int
    beat: int
    takeover_ms: int
    is_free: bool
    is_stopped: bool


class Known:
    """The seats as they were last read, by their rows' keys."""

    def __init__(self) -> None:
        self._seats: dict[int, SeatSeen] = {}
        self._now = 0.0

    def look(self, rows: Iterable[Short], now: float) -> set[int]:
        """Take in the short rows of all seats; return the keys of those that are to be read whole."""
        before, passed = self._seats, now - self._now
        self._seats, self._now = {}, now
        return {row.pk for row in rows if not self._goes_on(before.get(row.pk), row, passed)}

    def take(self, seats: Mapping[int, SeatSeen]) -> None:
        """Take those seats that were read whole."""
        self._seats |= seats

    def take_all(self, seats: Mapping[int, SeatSeen], now: float) -> None:
        """Take all seats, read whole."""
        self._seats, self._now = dict(seats), now

    @property
    def seats(self) -> dict[Place, SeatSeen]:
        return {seat.place: seat for seat in self._seats.values()}

    def _goes_on(self, seat: SeatSeen | None, row: Short, passed: float) -> bool:
        """Keep the seat with what the row says, unless it has changed hands."""
        now = row.token, row.is_free, row.is_stopped
        if seat is None or (seat.token, seat.is_free, bool(seat.stopped_by)) != now:
            return False
        held_s = 0.0 if seat.is_free else seat.held_s + passed
        self._seats[row.pk] = seat._replace(beat=row.beat, takeover_ms=row.takeover_ms, held_s=held_s)
        return True


def one_server(names: Iterable[str]) -> str:
    """Return the server that was read; of several a name that is none's: no window goes on, and no claim fits."""
    return " and ".join(sorted(names))

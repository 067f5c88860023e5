"""The seats that this daemon's life holds, as its ledger has confirmed them. Pure: times are boot-time seconds."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from workerd.wire import lease

Place = tuple[int | None, int]
"""Job's id and index: what a seat is the seat of."""


@dataclass(eq=False, slots=True)
class Holding:
    """One token's hold on a place; renewals move it on, and nothing that was sent before does."""

    place: Place
    token: int
    sent: float
    takeover_after: float
    goes_on: bool = False
    """Whether its process goes on where no answer comes (``without_database``), until the seat is known to be lost."""
    in_doubt: bool = False
    """Whether its process was asked to stop, as no renewal was confirmed; a renewal ends that."""
    given_up: str = ""
    """Why the daemon gives the seat away, although it may run the job; "" where it does not."""
    kept: bool = False
    """Whether a process of it cannot be killed, so that it is not released."""
    taken_from: str = ""
    """The node that had it and was not heard of; "" where it was free, or this is not known."""
    before: str = ""
    """How it stood before this life had it (``Before``); "" where this is not known."""
    released: bool = False
    """Whether the ledger was told that no process of it is left."""
    ended_by: float = math.inf
    """Once the seat is lost: when its process is killed at the latest."""

    @property
    def deadline(self) -> float:
        """The moment (D) at which a process of this seat is killed; without end while it goes on."""
        proven = math.inf if self.goes_on else lease.kill_at(self.sent, self.takeover_after)
        return min(proven, self.ended_by)

    def ask_at(self, stop_timeout: float) -> float:
        """Return when its process is asked to stop."""
        return lease.ask_at(self.deadline, self.takeover_after, stop_timeout)

    def may_start(self, now: float) -> bool:
        """Return whether a process may start, as enough time is left for it."""
        return lease.may_start(now, self.deadline, self.takeover_after)

    def lose(self, now: float) -> None:
        """Give its process a last third of ``takeover_after``, and no more than it had: another node may have it."""
        self.ended_by = min(self.ended_by, now + self.takeover_after / 3)


class Change(NamedTuple):
    """A change at a place: the ``lost`` holding, and the one that is held ``now``."""

    place: Place
    lost: Holding | None
    now: Holding | None
    is_new: bool = False
    """Whether this node did not hold it before, by this token."""


class Holdings:
    """The seats that are held, by place. A renewal sent before the newest one neither shortens nor revives a seat."""

    def __init__(self) -> None:
        self._held: dict[Place, Holding] = {}
        self._whole_sent = -math.inf

    def __iter__(self) -> Iterator[Holding]:
        return iter(tuple(self._held.values()))

    def __bool__(self) -> bool:
        return bool(self._held)

    def get(self, place: Place) -> Holding | None:
        """Return the holding of a place, one that was released and is not confirmed as free among them."""
        return self._held.get(place)

    def take(self, sent: float, seats: Sequence[Sequence[Any]], *, whole: bool) -> list[Change]:
        """Take what a statement that was sent at ``sent`` has found; return each place that it concerns.

        A ``whole`` list is a renewal's: what it lacks is lost, unless it was confirmed by something sent later.
        """
        if sent <= self._whole_sent:  # the newest whole list knew better what is held
            return []
        changes = [change for seat in seats if (change := self._take_one(sent, *seat)) is not None]
        if whole:
            self._whole_sent = sent
            named = {(job_id, index) for job_id, index, *_ in seats}
            gone = [known for known in self if known.place not in named and known.sent < sent]
            changes += [Change(known.place, self._held.pop(known.place), None) for known in gone]
        return changes

    def _take_one(  # noqa: PLR0917 - what a message has of a seat
        self,
        sent: float,
        job_id: int,
        index: int,
        token: int,
        takeover_after: float,
        taken_from: str = "",
        before: str = "",
        *_more: Any,
    ) -> Change | None:
        place = (job_id, index)
        known = self._held.get(place)
        if known is not None and sent <= known.sent:
            return None
        if known is not None and known.token == token:
            known.sent, known.takeover_after, known.in_doubt = sent, takeover_after, False
            return Change(place, None, known)
        self._held[place] = Holding(place, token, sent, takeover_after, taken_from=taken_from, before=before)
        return Change(place, known, self._held[place], is_new=True)

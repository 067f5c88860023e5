"""The due moments of a scheduled slot: which one it runs for, and up to where each is accounted for. Pure.

Moments are wall seconds (UTC). Each is accounted for once: by a run, or by a record that nothing ran for it.
"""

import uuid
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

from workerd.wire.words import Outcome, Trigger

LATE_S = 5.0
"""A start that is later than this, as the machine slept or its clock was set, is made up for rather than on time."""
SHORTEST_S = 1.0
"""A start is never too late before this, whatever ``start_within`` says: the line of those that start takes time."""
BEFORE_S = 0.5
"""The time before a due moment in which there is no other: all is accounted for up to then, and the moment is not."""
SET_BACK_S = 3 * 3600.0
"""A clock that is set back by less repeats no due moment; set back by more, it is taken for right (cron's rule)."""


class Times(Protocol):
    """The due moments of a schedule."""

    def next_after(self, moment: float) -> float | None:
        """Return the first one after ``moment``; None where there is none."""

    def latest(self, after: float, until: float) -> float | None:
        """Return the last one after ``after``, up to ``until``; None where there is none."""

    def count(self, after: float, until: float) -> int:
        """Return how many there are after ``after``, up to ``until``."""


@dataclass(frozen=True, slots=True)
class SpreadTimes:
    """Due moments that are each later by some seconds than a schedule's."""

    times: Times
    later: float

    def next_after(self, moment: float) -> float | None:
        found = self.times.next_after(moment - self.later)
        return None if found is None else found + self.later

    def latest(self, after: float, until: float) -> float | None:
        found = self.times.latest(after - self.later, until - self.later)
        return None if found is None else found + self.later

    def count(self, after: float, until: float) -> int:
        return self.times.count(after - self.later, until - self.later)


class Due(NamedTuple):
    """A moment that came due, why, and the run that is to begin for it."""

    moment: float
    trigger: Trigger
    run: str

    @classmethod
    def at(cls, moment: float, trigger: Trigger) -> "Due":
        return cls(moment, trigger, str(uuid.uuid4()))


@dataclass(frozen=True, slots=True)
class Gap:
    """Due moments in a row that nothing ran for, for one reason; ``run`` is the key of their row."""

    first: float
    last: float
    count: int
    reason: str = ""
    run: str = ""
    trigger: Trigger = Trigger.SCHEDULE

    def extended(self, by: "Gap") -> "Gap":
        """Return this gap and the one that follows as one; that one alone where it has another reason or trigger."""
        if (by.reason, by.trigger) != (self.reason, self.trigger):
            return by
        return replace(self, last=by.last, count=self.count + by.count)


class Settled(NamedTuple):
    """The end of each moment in a span of time: one to run for now, if any, and those that were missed."""

    due: Due | None
    missed: Gap | None


class Remembered(NamedTuple):
    """The memory of a slot that an earlier daemon, or the holder of its seat before, has left."""

    rule: str
    """The schedule, time zone and spread by which its moments were found, as a text."""
    settled: float | None
    due: float | None
    """The moment of a run that was not brought to its end."""
    last_success: float | None = None


@dataclass(eq=False, repr=False, slots=True)
class Dues:
    """The memory of a scheduled slot."""

    rule: tuple[str, str, float] = ("", "", 0.0)
    """The schedule, time zone and spread that ``next`` was found by."""
    next: float | None = None
    came: Due | None = None
    """The moment that CAME_DUE tells of, while the table deals with it."""
    taken: Due | None = None
    """The moment that the slot runs for, or waits to."""
    waits_since: float = 0.0
    """From when on ``start_within`` counts for it: its moment, or the end of the run that it was remembered over."""
    begun: bool = False
    """Whether a run was begun for it."""
    remembered: Due | None = None
    settled: float | None = None
    """Every due moment up to this one is accounted for; None while nothing is wanted."""
    registered: bool = False
    """Whether a record says that a run begins for it, where that is to be on disk first."""
    gap: "Gap | None" = None
    """The moments in a row that nothing ran for, up to now."""
    missed_last: "Gap | None" = None
    """The latest moments that nothing ran for, and why."""
    outcome: Outcome | None = None
    """The outcome of the last moment, retries included; None while this daemon knows of none."""
    last_success: float | None = None
    left: Remembered | None = None
    """The slot's memory while this node does not have its seat."""
    missed: int = 0
    """How many moments this daemon has seen missed."""

    def pending(self, until: float) -> list[float]:
        """Return the schedule's moments up to then that a run is still to begin for: they are not to come again."""
        dues = [due for due in (self.taken, self.remembered) if due is not None and due.trigger != Trigger.OPERATOR]
        return [due.moment for due in dues if due.moment < until]

    def account(self, moment: float) -> None:
        """Regard every due moment up to this one as accounted for."""
        self.settled = moment if self.settled is None else max(self.settled, moment)


def gap_run(node: str, job: int | str, index: int, first: float) -> str:
    """Return the key of the row for what is due at ``first``, or from then on: the same, should it be told twice."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{node}\n{job}\n{index}\n{first:.3f}"))


def is_due(times: Times, moment: float) -> bool:
    """Return whether ``moment`` is one of a schedule's own."""
    found = times.latest(moment - 0.5, moment + 0.5)
    return found is not None and abs(found - moment) < 0.001


def settle(times: Times, since: float, now: float, start_within: float) -> Settled:
    """Return what becomes of the due moments after ``since``, up to ``now``: the latest is run for if it may be."""
    latest = times.latest(since, now)
    first = times.next_after(since)
    if latest is None or first is None:
        return Settled(None, None)
    count = times.count(since, now)
    if now - latest > max(start_within, SHORTEST_S):
        return Settled(None, Gap(first, latest, count))
    trigger = Trigger.CATCH_UP if now - latest > LATE_S else Trigger.SCHEDULE
    before = times.latest(since, latest - 0.5) if count > 1 else None
    return Settled(Due.at(latest, trigger), Gap(first, before, count - 1) if before is not None else None)

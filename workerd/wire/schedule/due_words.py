"""The next dues as people read them, with what a change of the clocks does to them (``Due``)."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from . import local
from .dues import LAST, Schedule, second_of
from .every import Every
from .zone import DAY

AHEAD = 397 * DAY
"""Thirteen months: a change of the clocks comes again within them."""


@dataclass(frozen=True, slots=True)
class Due:
    """A due in the schedule's time zone; ``remark`` is blank where the clocks leave it alone."""

    moment: float
    local: str
    remark: str


def upcoming(schedule: Schedule, after: float, n: int = 5) -> list[Due]:
    """Return the next ``n`` dues, fewer where there are no more."""
    return [_due(schedule, moment, after) for moment in islice(_dues(schedule, after, LAST), n)]


def next_clock_change(schedule: Schedule, after: float) -> Due | None:
    """Return the next due within thirteen months that the clocks move or double; they leave an interval alone."""
    if isinstance(schedule, Every):
        return None
    start = second_of(after)
    for span in schedule.clock.spans(start - DAY, start + AHEAD):
        if length := abs(span.offset - span.before):
            for moment in _dues(schedule, max(after, span.start - length - 1), span.start + length):
                due = _due(schedule, moment, after)
                if due.remark:
                    return due
    return None


def _dues(schedule: Schedule, after: float, until: float) -> Iterator[float]:
    moment = schedule.next_after(after)
    while moment is not None and moment <= until:
        yield moment
        moment = schedule.next_after(moment)


def _due(schedule: Schedule, moment: float, after: float) -> Due:
    shown = schedule.clock.local(int(moment))
    year = schedule.clock.local(int(after)).year
    return Due(moment, local.short(shown, year), _remark(schedule, moment))


def _remark(schedule: Schedule, moment: float) -> str:
    skipped = schedule.skipped(moment)
    if skipped is not None:
        wall = local.from_wall(skipped)
        return f"{local.time_of(wall)} does not exist on {local.date_of(wall)}: the clocks go forward"
    shown = schedule.clock.local(int(moment))
    if shown.replace(fold=0).utcoffset() == shown.replace(fold=1).utcoffset():
        return ""
    return f"the {'second' if shown.fold else 'first'} of two {local.time_of(shown)}: the clocks go back"

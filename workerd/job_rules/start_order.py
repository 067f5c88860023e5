"""The faults of a row's ``starts_after`` that only the other rows can tell: circles, schedules, names of no job."""

import difflib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from workerd.wire.start_order import find_circle, show_circle

from .starts_after import names_fault

MEANT_AMONG = 300
"""Of so many jobs the one that is meant by a mistyped name is looked for."""


class Place(NamedTuple):
    """A row's part in the order: its schedule, and the jobs that it starts after."""

    schedule: str
    starts_after: Sequence[str]

    @classmethod
    def of(cls, schedule: Any, starts_after: Any) -> "Place":
        """Return the place of a row, whatever SQL may have written; what is at fault by itself orders nothing."""
        return cls(schedule or "", starts_after if starts_after and not names_fault(starts_after) else ())


Places = Mapping[str, Place]
"""By the job's name, every row that there is or will be, the one that is judged among them."""


def find_order_faults(name: str, places: Places) -> list[str]:
    """Return what is wrong with the ``starts_after`` of the job ``name``, which the daemon would pass over."""
    faults = [
        f"starts_after names “{other}”, which has a schedule and does not always run: remove it."
        for other in places[name].starts_after
        if other in places and places[other].schedule
    ]
    circle = find_circle({other: place.starts_after for other, place in places.items()}, name)
    if len(circle) > 2:  # a job that names itself is a fault of its row alone
        way = show_circle(circle)
        faults.append(
            f"starts_after makes a circle, {way}, in which each job would wait for the next: remove one name."
        )
    return faults


def find_unknown_names(name: str, places: Places) -> list[str]:
    """Return a sentence for each name of no job in the ``starts_after`` of the job ``name``."""
    return [
        f"starts_after names “{other}”, and there is no such job.{_guess(other, places)} Correct it, or make that job."
        for other in places[name].starts_after
        if other not in places
    ]


def find_followers_fault(name: str, places: Places) -> str:
    """Return the sentence for a job with a schedule that others start after, "" where none does."""
    followers = sorted(other for other, place in places.items() if name in place.starts_after and other != name)
    if not (places[name].schedule and followers):
        return ""
    first = followers[0]
    more = f" and {len(followers) - 1} more" if len(followers) > 1 else ""
    return (
        f"“{first}”{more} would start after this job, which with a schedule does not always run: clear the schedule, "
        f"or remove “{name}” from the starts_after of “{first}”{more}."
    )


def _guess(name: str, places: Places) -> str:
    meant = difflib.get_close_matches(name, sorted(places)[:MEANT_AMONG], 1)
    return f" Did you mean “{meant[0]}”?" if meant else ""

"""The times of a schedule, for a test."""

from datetime import datetime
from zoneinfo import ZoneInfo

from django.conf import settings

from workerd.wire.schedule import parse


def due_times(schedule: str, time_zone: str = "", *, after: datetime, n: int = 5) -> list[datetime]:
    """Return the next ``n`` moments after ``after`` at which a row with this schedule is due, fewer where it ends.

    They are aware, in ``time_zone`` ("" is the project's), as is ``after``. The row's spread is not among them.
    Raises ScheduleError for a text or a zone that a row could not have, and ValueError for a naive ``after``.
    """
    if after.tzinfo is None:
        raise ValueError(f"after is {after!r}, without a time zone: give an aware datetime")
    zone = time_zone or settings.TIME_ZONE
    read, moment = parse(schedule, zone), after.timestamp()
    dues: list[datetime] = []
    while len(dues) < n and (due := read.next_after(moment)) is not None:
        dues.append(datetime.fromtimestamp(due, ZoneInfo(zone)))
        moment = due
    return dues

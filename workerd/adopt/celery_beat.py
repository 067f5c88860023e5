"""One entry of Celery's beat as a job: from ``beat_schedule``, or from a row of django-celery-beat."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from workerd.wire.schedule import parse

from .adopted import Adopted, Refused
from .calendars import Calendar, CalendarError, to_cron
from .context import Context
from .draft import Draft
from .tasks import adopt_task
from .times import Times, TimesError, at, cron, every

_COUNTS = "Beat counts an interval from the last run; {} counts from midnight UTC, 1 January 1970."
_ROUTING = "A job has no queue: its processes run it."


class BeatEntry(NamedTuple):
    """A task that beat sends at times. ``schedule`` is Celery's object, a number of seconds or a timedelta."""

    name: str
    task: str
    schedule: Any
    zone: str
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = {}  # shared: nobody changes it
    options: Mapping[str, Any] = {}
    """Where the task is sent, by which name of Celery's; those without a value do not count."""
    enabled: bool = True
    one_off: bool = False
    start_time: datetime | None = None
    description: str = ""


def adopt_entry(entry: BeatEntry, place: str, context: Context, now: float) -> Adopted | Refused:
    """Return the job, or why there is none."""
    draft = Draft(entry.name, place)
    draft.values["restart"] = "never"  # beat sends a task once
    try:
        times = read_times(entry.schedule, entry.zone, now)
        (_once(times, now) if entry.one_off else times).give(draft)
    except TimesError as error:
        draft.block(str(error))
    if not entry.enabled:
        draft.values["enabled"] = False
    if entry.description:
        draft.values["notes"] = entry.description
    if entry.start_time is not None and entry.start_time.timestamp() > now:
        draft.say(f"It was to start at {entry.start_time:%Y-%m-%d %H:%M}: enable the job then.")
    for name in [name for name, value in entry.options.items() if value not in (None, "", {})]:
        if name.startswith("expire"):
            draft.say(f"{name} ended it, or dropped a late task: max_age ends a run, start_within drops a late one.")
        else:
            draft.drop(name, _ROUTING)
    adopt_task(draft, entry.task, entry.args, entry.kwargs, context)
    return draft.finish()


def read_times(schedule: Any, zone: str, now: float) -> Times:
    """Return the times of one of Celery's schedules, known by what it has; an error is what came of reading one.

    Raises TimesError.
    """
    if isinstance(schedule, Exception):
        reason = (str(schedule).strip() or type(schedule).__name__).splitlines()[0].rstrip(".")
        raise TimesError(f"Celery does not read its schedule ({reason}): correct it there.")
    if isinstance(schedule, int | float) and not isinstance(schedule, bool):
        return every(schedule, _COUNTS)
    if isinstance(schedule, timedelta):
        return every(schedule.total_seconds(), _COUNTS)
    if isinstance(schedule, datetime):
        return at(schedule, now)
    if hasattr(schedule, "day_of_week"):
        return _cron(schedule, zone)
    if isinstance(clocked := getattr(schedule, "clocked_time", None), datetime):
        return at(clocked, now)
    if hasattr(schedule, "lat") or hasattr(schedule, "latitude"):
        event = getattr(schedule, "event", "The sun")
        raise TimesError(f"Its times follow the sun ({event}), which no schedule does: write the nearest time.")
    if isinstance(interval := getattr(schedule, "run_every", None), timedelta):
        return every(interval.total_seconds(), _COUNTS)
    raise TimesError(f"A schedule of type {type(schedule).__name__} is not known here.")


def _cron(schedule: Any, zone: str) -> Times:
    """Read the sets that Celery has made of its five fields; its weekdays are 0 for Sunday to 6."""
    calendar = Calendar(
        minutes=frozenset(schedule.minute),
        hours=frozenset(schedule.hour),
        days=frozenset(schedule.day_of_month),
        months=frozenset(schedule.month_of_year),
        weekdays=frozenset((day - 1) % 7 for day in schedule.day_of_week),
    )
    try:
        return cron(to_cron(calendar), zone)
    except CalendarError as error:
        raise TimesError(f"Its times are no schedule: {error}.") from error


def _once(times: Times, now: float) -> Times:
    """Return the first of the times alone: beat switches a one-off off when it has sent it."""
    if times.schedule.startswith("at"):
        return times
    schedule = parse(times.schedule, times.time_zone or "UTC")
    due = schedule.next_after(now)
    if due is None:
        raise TimesError("Its one time has passed.")
    first = at(schedule.clock.local(int(due)), now)
    return first._replace(says=("It was to run once: this is the first of its times from now on.",))

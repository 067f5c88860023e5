"""A schedule's text is put into words and next times here, by the functions that the daemon runs by."""

from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from workerd.durations import DurationError, format_duration, parse_duration
from workerd.job_rules import find_faults, join_sentences
from workerd.wire.schedule import Due, Schedule, explain, local_text, next_clock_change, parse, upcoming


@dataclass(frozen=True, slots=True)
class ScheduleWords:
    """The meaning of a text on the clocks of ``zone``; a text with a ``fault`` has none."""

    text: str = ""
    zone: str = ""
    fault: str = ""
    words: str = ""
    times: tuple[Due, ...] = ()
    change: Due | None = field(default=None)
    """The next time that a change of the clocks moves or doubles, where it is not among ``times``."""
    spread: str = ""
    """By a fixed part of this each slot's start is later, which part the daemon of each node knows."""


def put_into_words(
    text: str | None, time_zone: str | None, now: float, *, spread: Any = None, looks_ahead: bool = True
) -> ScheduleWords:
    """Return what a row's schedule means, or what is wrong with it or its time zone.

    ``spread`` is seconds, or a duration as one types it.

    To look ahead for a change of the clocks takes ten milliseconds where something is due every minute.
    """
    text, zone = (text or "").strip(), zone_of(time_zone)
    if not text:
        return ScheduleWords()
    if faults := find_faults({"schedule": text, "time_zone": zone}):
        return ScheduleWords(text, zone, join_sentences(faults))
    schedule = parse(text, zone)
    if fault := past_fault(schedule, now):
        return ScheduleWords(text, zone, fault)
    times = tuple(upcoming(schedule, now))
    change = next_clock_change(schedule, now) if looks_ahead else None
    change = None if change in times else change
    return ScheduleWords(text, zone, words=explain(schedule), times=times, change=change, spread=_shown(spread))


def _shown(spread: Any) -> str:
    """Return the spread as people write it, "" for none and for what is no duration, which the form says itself."""
    try:
        seconds = parse_duration(spread) if isinstance(spread, str) else float(spread or 0.0)
        return format_duration(seconds) if seconds else ""
    except (DurationError, TypeError, ValueError):
        return ""


def zone_of(time_zone: str | None) -> str:
    """Return the zone whose clocks a row means."""
    return (time_zone or "").strip() or settings.TIME_ZONE


def past_fault(schedule: Schedule, now: float) -> str:
    """Return what is wrong with a schedule that has no time to come."""
    if schedule.next_after(now) is not None:
        return ""
    return _("“%(text)s” is past: write a moment to come.") % {"text": schedule.text}


def next_time(text: str, time_zone: str, now: float) -> str:
    """Return the schedule's next time, "Mon 30 Nov 2026 02:30 Europe/Berlin"; "" where there is none."""
    zone = zone_of(time_zone)
    if not text or find_faults({"schedule": text, "time_zone": zone}):
        return ""
    moment = parse(text, zone).next_after(now)
    return "" if moment is None else local_text(moment, zone)

"""The effect of a changed row on running processes, in a few words."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings

from workerd.wire.schedule import ScheduleError, ZoneError, local_text, parse
from workerd.wire.spec import JobSpec, is_rescheduled, is_restarting

Values = Mapping[str, Any] | None


def describe_effect(before: Values, after: Values, running: int, nodes: int, now: float) -> str:
    """Return “restarts 2 processes”, “starts 1 process; next: …” or "".

    ``before`` and ``after`` are the row's values, None where there is no row. ``running`` processes run now, on
    ``nodes`` daemons; ``now`` is in seconds since 1970.
    """
    old, new = _spec(before), _spec(after)
    if new is None or not new.enabled:
        return _count("stops", running)
    if old is None or not old.enabled:
        return _next(new, now) if new.schedule else _count("starts", new.processes * nodes)
    if old.schedule and not new.schedule:
        return "runs always from now on"
    parts = _of_scheduled(old, new, running, now) if new.schedule else _of_endless(old, new, running, nodes)
    return "; ".join(filter(None, parts)) or ("restarts nothing" if nodes else "")


def _of_scheduled(old: JobSpec, new: JobSpec, running: int, now: float) -> tuple[str, ...]:
    """An edit neither starts nor ends a run that goes on for a time of the schedule."""
    ends = _count("stops", running) if not old.schedule else ""
    return ends, _next(new, now) if is_rescheduled(old, new) else ""


def _of_endless(old: JobSpec, new: JobSpec, running: int, nodes: int) -> tuple[str, ...]:
    more = (new.processes - old.processes) * nodes
    restarted = min(running, new.processes * nodes) if is_restarting(old, new) else 0
    return _count("restarts", restarted), _count("starts", max(more, 0)), _count("stops", min(running, max(-more, 0)))


def _count(verb: str, count: int) -> str:
    if not count:
        return ""
    return f"{verb} 1 process" if count == 1 else f"{verb} {count} processes"


def _next(spec: JobSpec, now: float) -> str:
    zone = spec.time_zone or settings.TIME_ZONE
    try:
        moment = parse(spec.schedule, zone).next_after(now)
    except (ScheduleError, ZoneError):
        return ""
    return "its schedule has no time to come" if moment is None else f"next: {local_text(moment, zone)}"


def _spec(values: Values) -> JobSpec | None:
    if values is None:
        return None
    return JobSpec("job", **{name: value for name, value in values.items() if name != "notes"})

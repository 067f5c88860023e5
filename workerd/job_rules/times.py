"""The rules for a row's schedule: its text, its time zone, and what goes with it."""

from workerd.wire.words import Restart

from .rule import Rule


def schedule_fault(schedule: str, time_zone: str) -> str:
    """Return what is wrong with the text of a schedule; a zone that is not there is the zone's own fault."""
    from workerd.wire.schedule import ScheduleError, ZoneError, parse  # few rows have one

    if not schedule:
        return ""
    try:
        parse(schedule, time_zone or "UTC")
    except ZoneError:
        return ""
    except ScheduleError as error:
        return f"{error}."
    return ""


def zone_fault(time_zone: str) -> str:
    from workerd.wire.schedule import ZoneError, parse

    if not time_zone:
        return ""
    try:
        parse("@daily", time_zone)
    except ZoneError as error:
        return f"{error}."
    return ""


def restart_fault(schedule: str, restart: str) -> str:
    if not schedule or restart != Restart.ALWAYS:
        return ""
    return (
        "restart is “always”, which no job with a schedule can be: choose “on_failure”, which tries a failed run "
        "again, or “never”, or clear the schedule."
    )


RULES: tuple[Rule, ...] = (
    Rule(("time_zone",), zone_fault, blames=("time_zone",)),
    Rule(("schedule", "time_zone"), schedule_fault, blames=("schedule",)),
    Rule(("schedule", "restart"), restart_fault, blames=("restart",)),
)

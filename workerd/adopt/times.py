"""The schedule of a job that another scheduler starts, written as a row has it and read once to be sure."""

from datetime import datetime
from typing import NamedTuple

from workerd.errors import WorkerdError
from workerd.wire.schedule import ScheduleError, parse

from .draft import Draft

_UNITS = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))


class TimesError(WorkerdError, ValueError):
    """The times of another scheduler cannot be a schedule; the text is the reason, in sentences."""


class Times(NamedTuple):
    """A schedule, blank where the job runs once when the service starts; and what is to be said of it."""

    schedule: str
    time_zone: str = ""
    says: tuple[str, ...] = ()

    def give(self, draft: Draft) -> None:
        """Set the fields of a job."""
        for sentence in self.says:
            draft.say(sentence)
        if self.schedule:
            draft.values["schedule"] = self.schedule
        if self.time_zone:
            draft.values["time_zone"] = self.time_zone


def cron(fields: str, zone: str, says: tuple[str, ...] = ()) -> Times:
    """Return five fields on the clocks of ``zone``. Raises TimesError."""
    return _checked(Times(fields, zone, says))


def every(seconds: float, says: str = "") -> Times:
    """Return an interval; ``says`` may name it as ``{}``. Raises TimesError."""
    if not 0 < seconds < 1e12 or seconds % 1:
        raise TimesError(f"An interval of {seconds:g} s is no whole number of seconds.")
    size, unit = next((size, unit) for size, unit in _UNITS if seconds % size == 0)
    schedule = f"every {seconds / size:.0f} {unit}"
    return _checked(Times(schedule, says=(says.format(f"“{schedule}”"),) if says else ()))


def at(moment: datetime, now: float) -> Times:
    """Return one moment, which knows its zone. Raises TimesError."""
    if moment.timestamp() <= now:
        raise TimesError(f"Its one time, {moment:%Y-%m-%d %H:%M}, has passed.")
    return _checked(Times(f"at {moment.replace(microsecond=0).isoformat(' ')}"))


def _checked(times: Times) -> Times:
    try:
        parse(times.schedule, times.time_zone or "UTC")
    except ScheduleError as error:
        raise TimesError(f"Its times are no schedule: {error}.") from error
    return times

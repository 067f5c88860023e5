"""The variables that stand between the lines of a crontab: what each means for the jobs below it."""

from collections.abc import Iterator, Mapping

from .context import Context
from .draft import Draft
from .fates import Directive, Fate, dropped, mapped, service

VARIABLES: Mapping[str, Directive] = {
    "CRON_TZ": mapped("time_zone"),
    "TZ": mapped("time_zone"),
    "RANDOM_DELAY": mapped("spread"),
    "SHELL": dropped("No shell runs a job."),
    "PATH": service("A job has the service's environment."),
    "HOME": service("A job has the service's environment."),
    "LOGNAME": service("All jobs run as the one user of the service."),
    "USER": service("All jobs run as the one user of the service."),
    "MAILTO": dropped("Nothing is mailed: the service's log has what a job prints."),
    "MAILFROM": dropped("Nothing is mailed: the service's log has what a job prints."),
    "CONTENT_TYPE": dropped("Nothing is mailed: the service's log has what a job prints."),
    "CONTENT_TRANSFER_ENCODING": dropped("Nothing is mailed: the service's log has what a job prints."),
    "START_HOURS_RANGE": dropped("It is for anacron alone."),
}
"""Those that cron reads itself."""

_MOST_DIGITS = 6

ANY_OTHER = mapped("environment")


class Variables:
    """The variables as they stand above a line."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self._values: dict[str, str] = {}
        self._dropped: dict[str, dict[str, None]] = {}

    def take(self, name: str, value: str) -> None:
        """Have a variable hold for the lines that follow."""
        self._values[name] = value
        fate = VARIABLES.get(name, ANY_OTHER)
        if fate.fate is not Fate.MAPPED:
            self._dropped.setdefault(fate.says, {})[f"{name}={value}"] = None

    def for_shell(self) -> Mapping[str, str]:
        """Return what a shell would know."""
        return self._values

    def give(self, draft: Draft) -> None:
        """Set what the variables mean for a job, as far as it has what they are about."""
        for name, value in self._values.items():
            if VARIABLES.get(name, ANY_OTHER) is ANY_OTHER:
                draft.set_variable(name, value, self.context)
        if "schedule" in draft.values:
            self._give_zone(draft)
            self._give_spread(draft)

    def told(self) -> Iterator[str]:
        """Yield a sentence for each reason not to carry variables over."""
        return (f"Not carried over: {', '.join(names)}. {why}" for why, names in self._dropped.items())

    def _give_zone(self, draft: Draft) -> None:
        if zone := self._values.get("CRON_TZ") or self._values.get("TZ") or self.context.time_zone:
            draft.values["time_zone"] = zone.removeprefix(":")
            if zone == self._values.get("TZ"):
                draft.say("Some crons go by the host's time zone in spite of TZ: check time_zone.")
        else:
            draft.say("cron goes by the host's time zone, which is not known here; set time_zone.")

    def _give_spread(self, draft: Draft) -> None:
        if not (delay := self._values.get("RANDOM_DELAY", "")):
            return
        if delay.isascii() and delay.isdigit() and len(delay) <= _MOST_DIGITS:
            draft.values["spread"] = 60.0 * int(delay)
        else:
            draft.block(f"RANDOM_DELAY={delay} is no number of minutes.")

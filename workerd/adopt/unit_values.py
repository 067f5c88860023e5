"""The directives of a unit that are taken one by one: from systemd's values to a row's."""

import math
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from workerd.durations import MAX_SECONDS, format_duration
from workerd.wire.spec import JobSpec

from .context import Context
from .draft import Draft
from .supervisor_values import read_signal
from .time_spans import read_time_span
from .unit_directives import TABLES
from .unit_file import Unit
from .unit_words import read_environment

_RESTART = {
    "no": "never",
    "always": "always",
    **dict.fromkeys(("on-failure", "on-abnormal", "on-abort", "on-watchdog"), "on_failure"),
    "on-success": "always",
}
_SIZE = re.compile(r"(\d{1,15})([KMGT]?)", re.ASCII)
_MIB = {"": 2**-20, "K": 2**-10, "M": 1, "G": 2**10, "T": 2**20}
_MADE_UP_FOR_S = 86_400.0
"""Persistent= makes up for a time however late; a day is as much as most want."""


class Part(NamedTuple):
    """A directive with all its values, on its way to a field."""

    draft: Draft
    name: str
    values: Sequence[str]
    unit: Unit
    context: Context

    @property
    def value(self) -> str:
        return self.values[-1]

    def seconds(self) -> float:
        """Return the duration, infinity among them. Raises ValueError."""
        found = read_time_span(self.value)
        if found is None:
            raise ValueError("is no duration of systemd's, such as “5min 30s”")
        return found


def _notes(part: Part) -> None:
    said = part.draft.values.get("notes")
    part.draft.values["notes"] = "\n".join([*([said] if said else []), *part.values])


def _after(part: Part) -> None:
    """Suggest only: the other unit may come to no job, or to one of another name."""
    together = {path.name for path in part.context.paths}
    for name in dict.fromkeys(" ".join(part.values).split()):
        if name in together:
            stem = name.rpartition(".")[0]
            part.draft.say(f'It started after {name}: starts_after = ["{stem}"] has it wait for that job.')
        else:
            part.draft.drop(f"After={name}", TABLES["Unit"]["Requires"].says)


def _type(part: Part) -> None:
    if part.value == "forking":
        part.draft.block(f"Type=forking: {TABLES['Service']['PIDFile'].says}")
    elif part.value == "dbus":
        part.draft.block(f"Type=dbus: {TABLES['Service']['BusName'].says}")
    elif part.value in ("notify", "notify-reload"):
        part.draft.drop(f"Type={part.value}", TABLES["Service"]["WatchdogSec"].says)
    elif part.value not in ("simple", "exec", "oneshot", "idle"):
        raise ValueError("is none of systemd's types: correct it")


def _restart(part: Part) -> None:
    if part.value not in _RESTART:
        raise ValueError("is none of systemd's choices: correct it")
    part.draft.values["restart"] = _RESTART[part.value]
    if part.value not in ("no", "always", "on-failure"):
        part.draft.say(f"Restart={part.value} has no counterpart of its own: “{_RESTART[part.value]}” is the nearest.")


def _restart_sec(part: Part) -> None:
    part.draft.values["backoff_initial"] = min(part.seconds(), MAX_SECONDS)


def _restart_max(part: Part) -> None:
    part.draft.values["backoff_max"] = min(part.seconds(), MAX_SECONDS)


def _timeout(part: Part) -> None:
    if part.name != "TimeoutSec" or not part.unit.last("Service", "TimeoutStartSec"):
        _start_timeout(part)
    if part.name != "TimeoutSec" or not part.unit.last("Service", "TimeoutStopSec"):
        _stop_timeout(part)


def _start_timeout(part: Part) -> None:
    """Take what a “oneshot” has for its whole run, and any other until it counts as started."""
    seconds = part.seconds() or math.inf  # 0 is no limit
    if part.unit.last("Service", "Type") == "oneshot":
        if seconds < math.inf:
            part.draft.values["max_age"] = seconds
    elif seconds > JobSpec._field_defaults["start_grace"]:
        part.draft.values["start_timeout"] = _bounded(part, "start_timeout", seconds)
    else:
        part.draft.drop(f"{part.name}={part.value}", "A start time-out is longer than start_grace.")


def _stop_timeout(part: Part) -> None:
    part.draft.values["stop_timeout"] = _bounded(part, "stop_timeout", part.seconds() or math.inf)


def _bounded(part: Part, field: str, seconds: float) -> float:
    if seconds <= MAX_SECONDS:
        return seconds
    part.draft.say(
        f"{part.name}={part.value} sets no limit; {field} has one, of {format_duration(MAX_SECONDS)} at most."
    )
    return MAX_SECONDS


def _kill_signal(part: Part) -> None:
    name = read_signal(part.value)
    if name is None:
        part.draft.say(f"No job is stopped by {part.value}: it is asked by TERM, and killed after its stop time-out.")
    else:
        part.draft.values["stop_signal"] = name


def _max_age(part: Part) -> None:
    if part.seconds() < math.inf:
        part.draft.values["max_age"] = part.seconds()


def _nice(part: Part) -> None:
    if not re.fullmatch(r"[-+]?\d{1,2}", part.value, re.ASCII):
        raise ValueError("is no number from -20 to 19")
    part.draft.values["nice"] = int(part.value)


def _directory(part: Part) -> None:
    part.draft.set_directory(part.value.removeprefix("-"))


def _umask(part: Part) -> None:
    part.draft.values["umask"] = part.value


def _environment(part: Part) -> None:
    for name, value in read_environment(list(part.values)).items():
        part.draft.set_variable(name, value, part.context)


def _memory(part: Part) -> None:
    found = _SIZE.fullmatch(part.value)
    mebibytes = f", such as {int(found[1]) * _MIB[found[2]]:g}" if found else ""
    part.draft.say(
        f"{part.name}={part.value} counted all memory of the unit: max_memory is how many MiB a process may grow by"
        f"{mebibytes}."
    )


def _persistent(part: Part) -> None:
    """Leave an interval its default: Persistent= is about calendars alone."""
    if "start_within" in part.draft.values and part.value.lower() in ("1", "yes", "true", "on"):
        part.draft.values["start_within"] = _MADE_UP_FOR_S


def _spread(part: Part) -> None:
    part.draft.values["spread"] = min(part.seconds(), MAX_SECONDS)


TAKERS: dict[str, Callable[[Part], None]] = {
    "Description": _notes,
    "Documentation": _notes,
    "After": _after,
    "Type": _type,
    "Restart": _restart,
    "RestartSec": _restart_sec,
    "RestartMaxDelaySec": _restart_max,
    "TimeoutSec": _timeout,
    "TimeoutStartSec": _start_timeout,
    "TimeoutStopSec": _stop_timeout,
    "KillSignal": _kill_signal,
    "RuntimeMaxSec": _max_age,
    "Nice": _nice,
    "WorkingDirectory": _directory,
    "UMask": _umask,
    "Environment": _environment,
    "Persistent": _persistent,
    **dict.fromkeys(("RandomizedDelaySec", "RandomizedOffsetSec"), _spread),
    **dict.fromkeys(("MemoryMax", "MemoryHigh", "MemoryLimit"), _memory),
}
"""By name. The command, the times and the limit of starts depend on several directives, and are not here."""

LISTS = ("Documentation", "After", "Environment")
"""Of these all values count, of any other the last."""

FOR_PEOPLE = ("Description", "Documentation")

"""One service of systemd as a job."""

import re
from collections.abc import Sequence

from workerd.durations import MAX_SECONDS
from workerd.wire.spec import JobSpec

from .command_line import adopt_command
from .context import Context
from .draft import Draft
from .fates import Directive, Fate
from .time_spans import read_time_span
from .unit_directives import SERVICE, fate_of
from .unit_file import Unit
from .unit_values import FOR_PEOPLE, LISTS, TAKERS, Part
from .unit_words import fill_specifiers, fill_variables, read_environment

SECTIONS = ("Unit", "Service", "Install")

_STOP_S = 90.0
"""The seconds that systemd waits for the end of a service that says nothing."""
_BURST, _WINDOW_S = 5, 10.0
"""systemd's limit of starts, where a unit names one half of it."""
_WINDOWS = (("Unit", "StartLimitIntervalSec"), ("Unit", "StartLimitInterval"), ("Service", "StartLimitInterval"))
_BURSTS = (("Unit", "StartLimitBurst"), ("Service", "StartLimitBurst"))
_PREFIX = re.compile(r"[-@:+!|]*")


def fill(draft: Draft, unit: Unit, sections: Sequence[str], context: Context) -> None:
    """Take each directive of the unit's ``sections`` in turn; what is to be filled in first has to be in the draft."""
    blocking: dict[str, list[str]] = {}
    for (section, name), values in unit.values.items():
        directive = fate_of(section, name)
        if section not in sections or name.startswith("X-"):  # systemd leaves these to others
            continue
        if directive and directive.fate is Fate.BLOCKS and values:
            blocking.setdefault(directive.says, []).append(f"{name}=")
        else:
            _take(Part(draft, name, values, unit, context), section, directive)
    for reason, names in blocking.items():
        draft.block(f"It has {', '.join(names)}. {reason}")


def finish_service(draft: Draft, unit: Unit, context: Context) -> None:
    """Fill in what follows from several directives, and from those that the unit does not have."""
    _take_restart(draft, unit)
    _take_start_limit(draft, unit)
    if not unit.last("Service", "TimeoutStopSec") and not unit.last("Service", "TimeoutSec"):
        draft.values["stop_timeout"] = _STOP_S
    first = draft.values.get("backoff_initial", 0.0)
    if first > draft.values.get("backoff_max", JobSpec._field_defaults["backoff_max"]):
        draft.values["backoff_max"] = first
    _take_command(draft, unit, context)


def _take(part: Part, section: str, directive: Directive | None) -> None:
    """No value stands in a comment that may be a secret."""
    if not part.values:
        return
    if directive is None:
        part.draft.drop(part.name, f"It is no directive of [{section}] that is known here.")
    elif directive.fate is not Fate.MAPPED:
        shown = directive.fate is Fate.SERVICE and "Credential" not in part.name
        for value in part.values:
            part.draft.drop(f"{part.name}={value}" if shown else part.name, directive.says)
    elif take := TAKERS.get(part.name):
        if len(part.values) > 1 and part.name not in LISTS:
            part.draft.say(f"{part.name}= stands more than once; the last one counts, as for systemd.")
        try:
            take(part._replace(values=_filled(part)))
        except ValueError as error:
            shown_value = "" if part.name == "Environment" else part.value
            part.draft.block(f"{part.name}={shown_value} {error}.")


def _filled(part: Part) -> Sequence[str]:
    """Return the values with their specifiers filled in; what is for people may keep them. Raises ValueError."""
    try:
        return [fill_specifiers(value, part.unit) for value in part.values]
    except ValueError:
        if part.name in FOR_PEOPLE:
            return part.values
        raise


def _take_restart(draft: Draft, unit: Unit) -> None:
    said = draft.values.setdefault("restart", "never")
    if draft.values.get("schedule"):
        if said == "always":
            draft.values["restart"] = "on_failure"
            draft.say("A job with a schedule does not restart always: a run that fails is tried again.")
    elif not unit.last("Service", "Restart"):
        kind = unit.last("Service", "Type")
        ran = "ran once" if kind == "oneshot" else "was not restarted when it ended"
        draft.say(f'Without a line Restart= it {ran}; restart = "always" keeps it running.')


def _take_start_limit(draft: Draft, unit: Unit) -> None:
    """Take systemd's starts within a time as failures within it: the first start follows no failure."""
    window, burst = (
        next((found for place in places if (found := unit.last(*place))), "") for places in (_WINDOWS, _BURSTS)
    )
    if not burst and not window:
        return
    seconds = read_time_span(window) if window else _WINDOW_S
    if seconds is None or not re.fullmatch(r"\d{1,6}", burst or str(_BURST), re.ASCII):
        draft.block(f"StartLimitBurst={burst or _BURST} in {window or _WINDOW_S} is no limit of systemd's: correct it.")
    elif seconds and (starts := int(burst or _BURST)):  # 0 is no limit
        draft.values["max_restarts"] = starts - 1
        draft.values["restart_window"] = min(seconds, MAX_SECONDS)


def _take_command(draft: Draft, unit: Unit, context: Context) -> None:
    lines = unit.all("Service", "ExecStart")
    if not lines:
        draft.block("It has no ExecStart=, so there is nothing to run.")
    elif len(lines) > 1:
        draft.block(f"It runs {len(lines)} commands, one after the other: make them one management command.")
    else:
        try:
            adopt_command(draft, _exec_line(draft, lines[0], unit), context)
        except ValueError as error:
            draft.block(f"ExecStart= {error}.")


def _exec_line(draft: Draft, written: str, unit: Unit) -> str:
    """Return the command line without what is systemd's own. Raises ValueError."""
    prefixes = _PREFIX.match(written)
    prefix = prefixes[0] if prefixes else ""
    line = fill_specifiers(written[len(prefix) :].strip(), unit)
    if "-" in prefix:
        draft.say("ExecStart=- overlooks a failure; the job's history has it.")
    if "+" in prefix or "!" in prefix:
        draft.drop(f"the “{prefix}” before ExecStart's command", SERVICE["User"].says)
    if ":" not in prefix:
        line = fill_variables(line, _own_variables(unit))
    if "@" in prefix:
        program, _name, *rest = [*line.split(maxsplit=2), "", ""]
        line = f"{program} {rest[0] if rest else ''}"
    return line


def _own_variables(unit: Unit) -> dict[str, str]:
    """Return none where they cannot be read: that is told of Environment= itself."""
    try:
        return read_environment(unit.all("Service", "Environment"))
    except ValueError:
        return {}

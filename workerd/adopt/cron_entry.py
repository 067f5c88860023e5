"""One line of a crontab as a job."""

import re
from collections.abc import Mapping, Sequence

from .adopted import Adopted, Refused
from .command_line import adopt_command
from .cron_variables import Variables
from .draft import Draft
from .names import shortened

_PERCENT = re.compile(r"(?<!\\)%")
_SIXTH_FIELD = re.compile(r"[\d*?][\d*/,?L#-]*")
_LASTING: Mapping[str, Sequence[str]] = {"process_tasks": ("-d", "--duration")}
"""Commands that run for the time that an option says, again and again: a process that cron is made to keep alive."""


def adopt_entry(place: str, schedule: str, user: str, command: str, variables: Variables) -> Adopted | Refused:
    """Return the job of a line, or why there is none."""
    draft = Draft(shortened(variables.context.mask(command)), place)
    draft.values["restart"] = "never"  # cron tries nothing again
    if schedule == "@reboot":
        draft.say('cron starts it once; restart = "always" would keep it alive.')
    else:
        draft.values["schedule"] = " ".join(schedule.split())
    if user:
        draft.drop(f"user {user}", "All jobs run as the one user of the service.")
    variables.give(draft)
    if _SIXTH_FIELD.fullmatch(command.partition(" ")[0]):
        draft.block("It has six fields: cron's lines have five, then the command.")
    elif _PERCENT.search(command):
        draft.block("“%” begins a text that cron writes to the command's standard input: write the line without it.")
    else:
        adopt_command(draft, command.replace("\\%", "%"), variables.context, shell=variables.for_shell())
    if words := draft.values.get("command", "").split():
        draft.name = words[0]
        _let_run_always(draft, words)
    return draft.finish()


def _let_run_always(draft: Draft, words: Sequence[str]) -> None:
    options = _LASTING.get(words[0], ())
    lasts = any(word.partition("=")[0] in options for word in words[1:])
    if not lasts or "schedule" not in draft.values:
        return
    for field in ("schedule", "time_zone", "spread", "overlap", "restart"):
        draft.values.pop(field, None)
    draft.say(
        "cron started it again and again to keep one running: it has no schedule here, and runs always. "
        "Without its option for a time it need not end either."
    )

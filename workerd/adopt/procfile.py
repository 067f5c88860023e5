"""A Procfile: each ``name: command`` is a job."""

import re
from collections.abc import Mapping
from pathlib import Path

from .adopted import Refused, Result
from .command_line import adopt_command
from .context import Context
from .draft import Draft
from .fates import Directive, Fate, blocks, mapped
from .names import shortened

_LINE = re.compile(r"([A-Za-z0-9_-]+)\s*:\s*(\S.*)")
PROCESS = mapped("a job of this name")
TYPES: Mapping[str, Directive] = {
    "release": blocks("It belongs to the deploy, before the service is reloaded: it is no job."),
}
"""The names that mean something to whoever reads a Procfile; any other is a PROCESS."""


def fits(path: Path, text: str) -> bool:
    """Return whether it is called Procfile, or has nothing but lines of one."""
    lines = [line for line in text.split("\n") if line.strip() and not line.startswith("#")]
    return path.name.lower().startswith("procfile") or (bool(lines) and all(map(_LINE.fullmatch, lines)))


def read(path: Path, text: str, context: Context) -> Result:
    """Return the processes of the file; of two lines with one name the last counts, as for those who run the file."""
    result = Result()
    lines = [(number, line.strip()) for number, line in enumerate(text.split("\n"), 1)]
    found = [(number, line, _LINE.fullmatch(line)) for number, line in lines if line and not line.startswith("#")]
    last = {match[1]: number for number, _, match in found if match}
    for number, line, match in found:
        place = f"{path}, line {number}"
        if match is None:
            result.add(Refused(shortened(context.mask(line)), place, "It has no “name: command”: give it a name."))
        elif last[match[1]] != number:
            reason = f"Line {last[match[1]]} has the name {match[1]}, too, and counts instead: give one another name."
            result.add(Refused(match[1], place, reason))
        else:
            draft = Draft(match[1], place, base=str(path.parent.absolute()))
            fate = TYPES.get(match[1], PROCESS)
            if fate.fate is Fate.BLOCKS:
                draft.block(fate.says)
            else:
                adopt_command(draft, match[2], context, shell={})
            result.add(draft.finish())
    return result

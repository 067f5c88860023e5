"""From another program's command line to the command of a row."""

import re
import shlex
from collections.abc import Mapping, Sequence

from .context import Context
from .draft import Draft
from .management_command import find_management_command
from .not_adopted import NotAdoptedError
from .peeling import LinePeeling
from .templates import refuse_number

_PLAIN = re.compile(r"[\w@%+=:,./{}-]+", re.ASCII)


def adopt_command(
    draft: Draft, line: str, context: Context, shell: Mapping[str, str] | None = None, *, is_numbered: bool = False
) -> None:
    """Give ``draft`` the management command of ``line``, and what stands around it; or block it with the reason.

    ``shell`` is what a shell would know of variables, where one runs the line; None where none does. ``{index}`` and
    ``{processes}`` may stand in a line that ``is_numbered``, as the format's own words for them have been replaced.
    """
    try:
        if not is_numbered:
            refuse_number(line)
        words = LinePeeling(draft, context, shell or {}).peel(line, in_shell=shell is not None)
        draft.values["command"] = _to_line(find_management_command(draft, words, context))
    except NotAdoptedError as error:
        draft.block(str(error))
    else:
        if context.mask(draft.values["command"]) != draft.values["command"]:
            draft.say("The command has what looks like a secret: have it read that from the environment.")


def _to_line(words: Sequence[str]) -> str:
    return " ".join(word if _PLAIN.fullmatch(word) else shlex.quote(word) for word in words)

"""The rules for a job's target or command, as text. Whether the project allows it, ``targets`` says."""

import keyword
import shlex
from collections.abc import Mapping
from typing import Any

from .pasted import FOREIGN_OPTIONS, pasted_fault
from .rule import Rule, rule_of, shown

ENDING_OPTIONS = ("-h", "--help", "--version")
"""Options that print and end, so that a job that has them runs nothing."""


def program_fault(target: str, command: str) -> str:
    if target and command:
        return "Both target and command are set: clear one of them."
    return "" if target or command else "Neither target nor command is set: set one of them."


def target_fault(target: str) -> str:
    names = target.split(".")
    if not target or (len(names) > 1 and all(_is_plain_name(name) for name in names)):
        return ""
    remedy = "write it like shop.jobs.ship_orders, or put a management command into the field command"
    return f"target is {shown(target)}, not the dotted path of a function: {remedy}."


def command_fault(line: str) -> str:
    try:
        words = shlex.split(line)
    except ValueError as error:
        reason = str(error).lower()
        return f"command is {shown(line)}, which is no command line ({reason}): close the quotation, or escape it."
    if line and not words:
        return "command holds no word: write it like db_worker --queue-name mail."
    if words and (fault := pasted_fault(words)):
        return fault
    for word in words[1:]:
        if word == "--":
            break
        if word.partition("=")[0] in FOREIGN_OPTIONS + ENDING_OPTIONS:
            return foreign_option(words[0], word)
    return ""


def command_kwargs_fault(command: str, kwargs: Mapping[str, Any]) -> str:
    if not command or not kwargs:
        return ""
    names = ", ".join(f"“{key}”" for key in kwargs)
    return f"kwargs holds {names}, which no command takes: write options on the command line and leave kwargs empty."


def foreign_option(name: str, word: str) -> str:
    """Return the sentence for an option that a row must not have.

    ``command_lines`` needs it too: argparse accepts more spellings of an option than are found here.
    """
    return (
        f"“{name}” may not be given “{word}” in a row: it would print and end, or name another project. "
        "Remove that option."
    )


def _is_plain_name(name: str) -> bool:
    return name.isidentifier() and not keyword.iskeyword(name) and not name.startswith("__")


RULES: tuple[Rule, ...] = (
    rule_of("target", target_fault),
    rule_of("command", command_fault),
    Rule(("target", "command"), program_fault, blames=("target", "command")),
    Rule(("command", "kwargs"), command_kwargs_fault, blames=("kwargs",)),
)

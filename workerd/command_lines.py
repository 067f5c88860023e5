"""A row's management command line: split as a shell would, allowed by name, kept from options not its own."""

import io
import shlex
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING, Any

from .refusals import TargetError, import_failed

if TYPE_CHECKING:
    from django.core.management.base import BaseCommand

FOREIGN_OPTIONS = ("--settings", "--pythonpath")
"""They choose another project than the one the daemon has loaded."""
ENDING_OPTIONS = ("-h", "--help", "--version")
"""They print and end, so a job that has them runs nothing."""


def check_command_line(line: str) -> list[str]:
    """Return the words of ``line``. Raises TargetError unless the project allows its command; by strings, no import."""
    from .conf import get_settings

    words = _split(line)
    if words[0] not in get_settings().commands:
        problem = f"“{words[0]}” is not a management command that the project allows"
        raise TargetError("command", problem, f'Add "{words[0]}" to WORKERD["COMMANDS"].')
    for word in words[1:]:
        if word == "--":
            break
        if word.partition("=")[0] in FOREIGN_OPTIONS + ENDING_OPTIONS:
            raise _foreign(words[0], word)
    return words


def check_command(line: str) -> list[str]:
    """Return the words of ``line`` after the command's own parser has read them, so that no spelling gets round it."""
    words = check_command_line(line)
    command = _load(words[0])
    heard = io.StringIO()
    try:
        with redirect_stdout(heard), redirect_stderr(heard):
            options = command.create_parser("manage.py", words[0]).parse_args(words[1:])
    except SystemExit:
        raise _foreign(words[0], " ".join(words[1:])) from None
    except Exception as error:  # a CommandError by argparse, or whatever an argument's own type raises
        said = str(error).removeprefix("Error: ").partition("\n")[0].strip().rstrip(".")
        raise TargetError(
            "command", f"“{words[0]}” does not take “{' '.join(words[1:])}”: {said}", _usage(words[0])
        ) from error
    if options.settings is not None or options.pythonpath is not None:
        raise _foreign(words[0], _spelling(words[1:]))
    return words


def _split(line: str) -> list[str]:
    try:
        words = shlex.split(line)
    except ValueError as error:
        problem = f"“{line}” is no command line: {str(error).lower()}"
        raise TargetError("command", problem, "Close the quotation, or escape it as a shell wants it.") from error
    if not words or "\0" in line:
        raise TargetError(
            "command", f"“{line}” names no command".replace("\0", "\\0"), "Write it as “db_worker --queue-name mail”."
        )
    return words


def _load(name: str) -> "BaseCommand":
    from django.core.management import get_commands, load_command_class

    app: Any = get_commands().get(name)  # a name, or what call_command was given as one
    if app is None:
        problem = f"“{name}” is not a management command of any installed app"
        raise TargetError("command", problem, "Correct the name, or add its app to INSTALLED_APPS.")
    try:
        command: BaseCommand = load_command_class(app, name) if isinstance(app, str) else app
    except (Exception, SystemExit) as error:
        raise import_failed("command", name, error) from error
    return command


def _spelling(words: Sequence[str]) -> str:
    """Return the word that argparse took for one of FOREIGN_OPTIONS: it accepts unambiguous beginnings."""
    for word in words:
        name = word.partition("=")[0]
        if name.startswith("--") and any(option.startswith(name) for option in FOREIGN_OPTIONS):
            return word
    return " ".join(words)


def _foreign(name: str, word: str) -> TargetError:
    problem = f"“{name}” may not be given “{word}” in a row: it would print and end, or name another project"
    return TargetError("command", problem, "Remove that option.")


def _usage(name: str) -> str:
    return f"“manage.py {name} --help” shows what it takes."

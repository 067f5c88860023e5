"""A row's management command line: allowed by its name, and read by the command's own parser."""

import io
import shlex
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING, Any

from .command_secrets import masked_command, without_secrets
from .harmless_parser import make_harmless, reads_files_of_arguments
from .job_rules.pasted import FOREIGN_OPTIONS
from .job_rules.program import foreign_option
from .job_rules.rule import Fault
from .refusals import RowError, TargetError, import_failed

if TYPE_CHECKING:
    from django.core.management.base import BaseCommand


def check_command_name(line: str) -> list[str]:
    """Return the words of ``line``. Raises TargetError unless the project allows its command; by strings, no import."""
    from .conf import get_settings

    words = shlex.split(line)
    if words[0] not in get_settings().commands:
        _find_app(words[0])  # no list would help a name that no app has
        problem = f"“{words[0]}” is not a management command that the project allows"
        raise TargetError("command", problem, f'Add "{words[0]}" to WORKERD["COMMANDS"].')
    return words


def check_command(line: str) -> list[str]:
    """Return the words of ``line`` after the command's own parser has read them, so that no spelling gets round it.

    A type or an action of the command's own is not called: that is done once, when the command runs.
    """
    words = check_command_name(line)
    command = load_command(words[0])
    output = io.StringIO()
    try:
        with redirect_stdout(output), redirect_stderr(output):
            parser = command.create_parser("manage.py", words[0])
            if reads_files_of_arguments(parser, words[1:]):
                return words
            make_harmless(parser)
            options = parser.parse_args(words[1:])
    except SystemExit:
        raise _foreign(words[0], " ".join(words[1:])) from None
    except Exception as error:  # a CommandError by argparse, or whatever add_arguments() raises
        reason = without_secrets(str(error), line).removeprefix("Error: ").partition("\n")[0].strip().rstrip(".")
        own = f"“{words[0]}” does not take “{masked_command(' '.join(words[1:]))}”"
        public = f"{own}: {reason}" if str(error).startswith("Error: ") else own  # argparse's words, not the command's
        raise TargetError("command", f"{own}: {reason}", _usage(words[0]), public) from error
    if options.settings is not None or options.pythonpath is not None:
        raise _foreign(words[0], _spelling(words[1:]))
    return words


def load_command(name: str) -> "BaseCommand":
    """Return the management command. Raises TargetError where no app has it, or where it does not import."""
    from django.core.management import load_command_class

    app = _find_app(name)
    try:
        command: BaseCommand = load_command_class(app, name) if isinstance(app, str) else app
    except (Exception, SystemExit) as error:
        raise import_failed("command", name, error) from error
    return command


def _find_app(name: str) -> Any:
    """Return the app of the command, or what ``call_command`` was given as one. Raises TargetError; no import."""
    from django.core.management import get_commands

    app = get_commands().get(name)
    if app is None:
        problem = f"“{name}” is not a management command of any installed app"
        raise TargetError("command", problem, "Correct the name, or add its app to INSTALLED_APPS.")
    return app


def _spelling(words: Sequence[str]) -> str:
    """Return the word that argparse took for one of FOREIGN_OPTIONS: it accepts unambiguous beginnings."""
    for word in words:
        name = word.partition("=")[0]
        if name.startswith("--") and any(option.startswith(name) for option in FOREIGN_OPTIONS):
            return word
    return " ".join(words)


def _foreign(name: str, word: str) -> RowError:
    return RowError([Fault("command", foreign_option(name, masked_command(word)))])


def _usage(name: str) -> str:
    return f"“manage.py {name} --help” shows what it takes."

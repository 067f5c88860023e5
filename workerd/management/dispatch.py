"""Parses a verb's options, and runs it."""

from argparse import SUPPRESS, ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from workerd.conf import SettingsError
from workerd.wire import exit_codes

from .client import NoDaemonError
from .terminal import guard_streams


def add_parser(parsers: Any, name: str, verb: Any) -> None:
    """Add the verb, with its help and its options, to the command's parser."""
    summary = (verb.__doc__ or "").partition("\n")[0]
    parser = parsers.add_parser(name, help=summary, description=summary)
    add_project_options(parser, default=SUPPRESS)  # else the verb's default would replace what stands before the verb
    verb.add_arguments(parser)


def add_project_options(parser: ArgumentParser, default: str | None = None) -> None:
    """Add the options that say which project is meant, as ``manage.py`` has them."""
    parser.add_argument(
        "--settings", default=default, help="the project's settings module, if not in DJANGO_SETTINGS_MODULE"
    )
    parser.add_argument("--pythonpath", default=default, help="a directory to import the project from")


def run_verb(verb: Any, command: BaseCommand, options: dict[str, Any]) -> int:
    """Run the verb and return its exit code; unusable settings and a silent daemon are told in a sentence."""
    guard_streams(command)
    try:
        code: int = verb.run(command, options)
    except SettingsError as error:
        command.stderr.write(str(error))
        return exit_codes.FAILED
    except NoDaemonError as error:
        command.stderr.write(str(error))
        return exit_codes.NO_DAEMON
    return code

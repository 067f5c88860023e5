"""``manage.py workerd run`` before the project is loaded: that is the forkserver's to do, and once is enough.

Django makes the apps' configurations before it imports a model. The settings are there by then, and they are all that
``run`` needs.
"""

import os
import sys
from pathlib import Path

from django.core.management.base import BaseCommand, CommandParser

from workerd.conf import SettingsError, get_settings

from .dispatch import add_parser, run_verb
from .terminal import write_any_character
from .verbs import run


def run_early(argv: list[str]) -> None:
    """Become the daemon, or exit. Return where the project has to be loaded first."""
    write_any_character()
    parser = CommandParser(prog=f"{Path(argv[0]).name} workerd", called_from_command_line=True)
    add_parser(parser.add_subparsers(parser_class=CommandParser), "run", run)
    options = vars(parser.parse_args(argv[2:]))
    if _needs_settings_alone(options.get("settings")):
        sys.exit(run_verb(run, BaseCommand(), options))


def _needs_settings_alone(module: str | None) -> bool:
    """Return whether the settings are those that the options name, can be read, and name nothing that ``run`` imports.

    A callable of BEFORE_FORK is imported, to see whether it can be.
    """
    if module is not None and module != os.environ.get("DJANGO_SETTINGS_MODULE"):
        return False  # Django has not read the options yet: manage.py calls setup() by itself
    try:
        return not get_settings().before_fork
    except SettingsError:
        return False

"""``manage.py workerd run``, and the verbs that ask the daemon, before the project is loaded: they do not need it.

Loading the project is the forkserver's to do, once. Django makes the apps' configurations before it imports a model.
The settings are there by then, and they are all that these verbs need.
"""

import importlib
import os
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from workerd.conf import SettingsError, get_settings

from .dispatch import add_parser, run_verb
from .terminal import write_any_character
from .verbs.orders import SUMMARIES, OrderVerb

MODULES = frozenset({"drain", "records", "reload", "run", "shutdown", "status", "tail", "trigger"})
"""``run``, and with the orders all that ``asking`` has; no other of them is imported for one of them."""


def run_early(argv: list[str]) -> None:
    """Become the daemon, or run the verb and exit. Return where the project has to be loaded first."""
    name = argv[2]
    verb = _find(name)
    if verb is None:
        return
    write_any_character()
    parser = CommandParser(prog=f"{Path(argv[0]).name} workerd", called_from_command_line=True)
    add_parser(parser.add_subparsers(parser_class=CommandParser), name, verb)
    options = vars(parser.parse_args(argv[2:]))
    if not _looks_into_the_database(options) and _needs_settings_alone(name, options.get("settings")):
        sys.exit(run_verb(verb, BaseCommand(), options))


def _find(name: str) -> Any:
    if name in SUMMARIES:
        return OrderVerb(name)
    return importlib.import_module(f"{__package__}.verbs.{name}") if name in MODULES else None


def _looks_into_the_database(options: dict[str, Any]) -> bool:
    """Return whether the fleet or another node is meant: of these the daemon here does not tell."""
    return bool(options.get("fleet") or options.get("node"))


def _needs_settings_alone(name: str, module: str | None) -> bool:
    """Return whether the settings are those that the options name, can be read, and name nothing that ``run`` imports.

    A callable of BEFORE_FORK is imported, to see whether it can be.
    """
    if module is not None and module != os.environ.get("DJANGO_SETTINGS_MODULE"):
        return False  # Django has not read the options yet: manage.py calls setup() by itself
    try:
        settings = get_settings()
    except SettingsError:
        return False
    return name != "run" or not settings.before_fork

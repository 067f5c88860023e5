"""``python -m workerd VERB``: the verbs that ask the daemon, without loading the project.

They answer where the project does not load, or waits for a silent database while it loads: only its settings are read.
"""

import sys

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser, handle_default_options

from .management.asking import ASKING
from .management.dispatch import add_parser, add_project_options, run_verb
from .management.terminal import write_any_character
from .wire import exit_codes
from .wire.visible import visible

REMEDY = "Name their module by --settings or DJANGO_SETTINGS_MODULE, and its folder by --pythonpath."


def main() -> int:
    write_any_character()
    parser = CommandParser(prog="python -m workerd", called_from_command_line=True, description=__doc__)
    add_project_options(parser)
    parsers = parser.add_subparsers(dest="verb", required=True, metavar="VERB", parser_class=CommandParser)
    for name, verb in ASKING.items():
        add_parser(parsers, name, verb)
    options = parser.parse_args()
    handle_default_options(options)
    command = BaseCommand()
    if problem := _load_settings():
        command.stderr.write(problem)
        return exit_codes.FAILED
    return run_verb(ASKING[options.verb], command, vars(options))


def _load_settings() -> str:
    """Return why the project's settings cannot be loaded, and what to do; "" where they can."""
    try:
        settings.INSTALLED_APPS  # noqa: B018 - the first look imports the module
    except Exception as error:  # noqa: BLE001 - the border to the project's module, which may raise anything
        found = visible(f"{type(error).__name__}: {error}".partition("\n")[0])
        return f"The project's settings cannot be loaded ({found.rstrip('.')}). {REMEDY}"
    return ""


if __name__ == "__main__":
    sys.exit(main())

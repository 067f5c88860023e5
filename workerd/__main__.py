"""``python -m workerd VERB``: the verbs that ask the daemon, without loading the project.

They answer where the project does not load, or waits for a silent database while it loads: only its settings are read.
"""

import sys

from django.core.management.base import BaseCommand, CommandParser, handle_default_options

from .management.asking import ASKING
from .management.dispatch import add_parser, add_project_options, run_verb
from .management.terminal import write_any_character


def main() -> int:
    write_any_character()
    parser = CommandParser(prog="python -m workerd", called_from_command_line=True, description=__doc__)
    add_project_options(parser)
    parsers = parser.add_subparsers(dest="verb", required=True, metavar="VERB", parser_class=CommandParser)
    for name, verb in ASKING.items():
        add_parser(parsers, name, verb)
    options = parser.parse_args()
    handle_default_options(options)
    return run_verb(ASKING[options.verb], BaseCommand(), vars(options))


if __name__ == "__main__":
    sys.exit(main())

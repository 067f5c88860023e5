"""``python -m workerd VERB``: the verbs that ask the daemon, without loading the project.

They answer where the project does not load, or waits for a silent database while it loads: only its settings are read.
"""

import os
import sys

from django.core.management.base import BaseCommand, CommandParser

from .management.verbs import ASKING, add_parser, run_verb


def main() -> int:
    parser = CommandParser(prog="python -m workerd", called_from_command_line=True, description=__doc__)
    parser.add_argument("--settings", help="the project's settings module, if not in DJANGO_SETTINGS_MODULE")
    parsers = parser.add_subparsers(dest="verb", required=True, metavar="VERB", parser_class=CommandParser)
    for name, verb in ASKING.items():
        add_parser(parsers, name, verb)
    options = vars(parser.parse_args())
    if options["settings"]:
        os.environ["DJANGO_SETTINGS_MODULE"] = options["settings"]
    return run_verb(ASKING[options["verb"]], BaseCommand(), options)


if __name__ == "__main__":
    sys.exit(main())

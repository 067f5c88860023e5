"""``python -m workerd VERB``: the verbs that ask the daemon, without loading the project.

For when that does not load, or waits for a silent database as it does: the settings are read, and nothing else.
"""

import os
import sys

from django.core.management.base import BaseCommand, CommandParser

from .management.verbs.asking import ASKING


def main() -> int:
    """Parse the verb and its arguments, and return what the verb returns."""
    parser = CommandParser(prog="python -m workerd", called_from_command_line=True, description=__doc__)
    parser.add_argument("--settings", help="the project's settings, if not by DJANGO_SETTINGS_MODULE")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB", parser_class=CommandParser)
    for name, verb in ASKING.items():
        summary = (verb.__doc__ or "").partition("\n")[0]
        verb.add_arguments(verbs.add_parser(name, help=summary, description=summary))
    options = vars(parser.parse_args())
    if options["settings"]:
        os.environ["DJANGO_SETTINGS_MODULE"] = options["settings"]
    code: int = ASKING[options["verb"]].run(BaseCommand(), options)
    return code


if __name__ == "__main__":
    sys.exit(main())

"""``manage.py workerd VERB``."""

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from workerd.forkserver import bootstrap
from workerd.management.dispatch import add_parser, run_verb
from workerd.management.terminal import write_any_character


class Command(BaseCommand):
    """Parses the verb and its arguments, and exits with what the verb returns."""

    help = "Run and operate the long-lived background processes of this project."
    requires_system_checks = ()

    def run_from_argv(self, argv: list[str]) -> None:
        write_any_character()
        super().run_from_argv(argv)

    def add_arguments(self, parser: CommandParser) -> None:
        parsers = parser.add_subparsers(dest="verb", required=True, metavar="VERB", parser_class=CommandParser)
        for name, verb in _find_verbs().items():
            add_parser(parsers, name, verb)

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 - Django's signature
        code = run_verb(_find_verbs()[options["verb"]], self, options)
        if code:
            raise SystemExit(code)


def _find_verbs() -> dict[str, Any]:
    """Return the verbs of people, which a forkserver does not load; help and a typo do not list the daemon's own."""
    if bootstrap.is_forkserver(sys.argv):
        from workerd.management.verbs import forkserver

        return {"forkserver": forkserver}
    from workerd.management.verbs_of_people import VERBS

    return VERBS

"""``manage.py workerd VERB``."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from workerd.management.verbs import check, forkserver, once, run
from workerd.management.verbs.asking import ASKING

VERBS: dict[str, Any] = {
    "run": run,
    "check": check,
    "once": once,
    **ASKING,
    "forkserver": forkserver,
}


class Command(BaseCommand):
    """Parses the verb and its arguments, and exits with what the verb returns."""

    help = "Run and operate the long-lived background processes of this project."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Add a parser for each verb."""
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB", parser_class=CommandParser)
        for name, verb in VERBS.items():
            summary = (verb.__doc__ or "").partition("\n")[0]
            verb.add_arguments(verbs.add_parser(name, help=summary, description=summary))

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 - Django's signature
        """Run the verb; a verb that fails says so itself."""
        code = VERBS[options["verb"]].run(self, options)
        if code:
            raise SystemExit(code)

"""``manage.py workerd VERB``."""

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from workerd.forkserver import bootstrap
from workerd.management.asking import ASKING
from workerd.management.dispatch import add_parser, run_verb
from workerd.management.terminal import write_any_character
from workerd.management.verbs import adopt, check, export, forkserver, import_, once, rebalance, run, sync

VERBS: dict[str, Any] = {
    "run": run,
    "check": check,
    "once": once,
    "sync": sync,
    "export": export,
    "import": import_,
    "adopt": adopt,
    "rebalance": rebalance,
    **ASKING,
}
INTERNAL: dict[str, Any] = {"forkserver": forkserver}
"""Verbs that only the daemon uses: help and a typo do not list them."""


class Command(BaseCommand):
    """Parses the verb and its arguments, and exits with what the verb returns."""

    help = "Run and operate the long-lived background processes of this project."
    requires_system_checks = ()

    def run_from_argv(self, argv: list[str]) -> None:
        write_any_character()
        super().run_from_argv(argv)

    def add_arguments(self, parser: CommandParser) -> None:
        parsers = parser.add_subparsers(dest="verb", required=True, metavar="VERB", parser_class=CommandParser)
        for name, verb in (INTERNAL if bootstrap.is_forkserver(sys.argv) else VERBS).items():
            add_parser(parsers, name, verb)

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 - Django's signature
        code = run_verb((VERBS | INTERNAL)[options["verb"]], self, options)
        if code:
            raise SystemExit(code)

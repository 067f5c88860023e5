"""Load the project's code anew, and have every job move over to it; code that does not load changes nothing."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from workerd.conf import get_settings
from workerd.management.client import NoDaemonError, ask
from workerd.wire import exit_codes

PATIENCE_S = 24 * 3600.0


def add_arguments(parser: ArgumentParser) -> None:
    """Offer not to wait."""
    parser.add_argument("--no-wait", action="store_true", help="do not wait until every job has moved over")
    parser.add_argument("--json", action="store_true", help="for programs: one JSON object")


def run(command: BaseCommand, options: dict[str, Any]) -> int:
    """Reload; 1 where the new generation was rejected."""
    try:
        answer = ask(get_settings(), {"verb": "reload", "wait": not options["no_wait"]}, PATIENCE_S)
    except NoDaemonError as error:
        command.stderr.write(str(error))
        return exit_codes.NO_DAEMON
    if options["json"]:
        command.stdout.write(json.dumps(answer, indent=2))
    elif not answer["ok"]:
        command.stderr.write(str(answer["error"]))
    elif "generation" in answer:
        command.stdout.write(f"every job runs generation {answer['generation']}")
    return exit_codes.DONE if answer["ok"] else exit_codes.FAILED

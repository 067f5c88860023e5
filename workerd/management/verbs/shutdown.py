"""Stop every job and the daemon."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from workerd.conf import get_settings
from workerd.management.client import NoDaemonError, ask, wait_until_gone
from workerd.wire import exit_codes


def add_arguments(parser: ArgumentParser) -> None:
    """Offer JSON, and not to wait."""
    parser.add_argument("--no-wait", action="store_true", help="do not wait until it has stopped")
    parser.add_argument("--json", action="store_true", help="for programs: one JSON object")


def run(command: BaseCommand, options: dict[str, Any]) -> int:
    """Ask the daemon to end, and wait until it has stopped its jobs."""
    try:
        answer = ask(get_settings(), {"verb": "shutdown"})
    except NoDaemonError as error:
        command.stderr.write(str(error))
        return exit_codes.NO_DAEMON
    said = "the daemon is stopping its jobs"
    if not options["no_wait"]:
        wait_until_gone(get_settings())
        said = "the daemon has stopped"
    command.stdout.write(json.dumps(answer, indent=2) if options["json"] else said)
    return exit_codes.DONE

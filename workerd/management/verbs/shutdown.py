"""Stop every job and the daemon."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from workerd.conf import get_settings
from workerd.management.client import ask, wait_until_gone
from workerd.wire import exit_codes


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--no-wait", action="store_true", help="do not wait until the daemon has stopped")
    parser.add_argument("--json", action="store_true", help="for programs: one JSON object")


def run(command: BaseCommand, options: dict[str, Any]) -> int:
    settings = get_settings()
    answer = ask(settings, {"verb": "shutdown"})
    if not answer["ok"]:
        command.stderr.write(str(answer["error"]))
        return exit_codes.FAILED
    if not options["no_wait"]:
        wait_until_gone(settings)
    if options["json"]:
        command.stdout.write(json.dumps(answer, indent=2))
    else:
        command.stdout.write("the daemon is stopping its jobs" if options["no_wait"] else "the daemon has stopped")
    return exit_codes.DONE

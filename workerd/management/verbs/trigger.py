"""Run scheduled jobs now, whatever their schedule says; it stays as it is."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from workerd.conf import get_settings
from workerd.management.client import ask
from workerd.wire import exit_codes

from .orders import PATIENCE_S, print_results


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "names", nargs="+", metavar="SLOT", help="a job (all its slots) or one slot, like nightly-report:1"
    )
    parser.add_argument(
        "--wait",
        action="store_true",
        help="wait until the runs, and their retries, have ended; end with 1 unless each has finished",
    )
    parser.add_argument("--json", action="store_true", help="for programs: one JSON object")


def run(command: BaseCommand, options: dict[str, Any]) -> int:
    """Return FAILED where a slot was not started, or, with ``--wait``, its run has not finished."""
    request = {"verb": "trigger", "names": options["names"], "to_end": options["wait"]}
    answer = ask(get_settings(), request, PATIENCE_S)
    if options["json"]:
        command.stdout.write(json.dumps(answer, indent=2))
    else:
        print_results(command, answer)
    return exit_codes.DONE if answer["ok"] else exit_codes.FAILED

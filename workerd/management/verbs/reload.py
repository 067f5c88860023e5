"""Load the project's code again and restart every job with it; code that does not load or fails changes little."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from workerd.conf import get_settings
from workerd.management.client import ask
from workerd.management.fleet_status import needs_project
from workerd.wire import exit_codes

PATIENCE_S = 24 * 3600.0
"""The daemon answers when every slot has moved over, each within its own timeouts; it knows how long that takes."""


def add_arguments(parser: ArgumentParser) -> None:
    ways = parser.add_mutually_exclusive_group()
    ways.add_argument(
        "--fleet",
        action="store_true",
        help="every node that reports, one at a time; what goes wrong on one stops those after it",
    )
    ways.add_argument(
        "--go-on",
        dest="way",
        action="store_const",
        const="go_on",
        default="",
        help="where a reload is halted: move the other slots to the new code, whatever fails",
    )
    ways.add_argument(
        "--back",
        dest="way",
        action="store_const",
        const="back",
        default="",
        help="where a reload is halted or under way: move every slot back to the code before",
    )
    parser.add_argument("--no-wait", action="store_true", help="do not wait until every job runs the new code")
    parser.add_argument("--json", action="store_true", help="for programs: one JSON object")


def run(command: BaseCommand, options: dict[str, Any]) -> int:
    if options["fleet"]:
        if needs_project(command, "reload --fleet"):
            return exit_codes.USAGE
        from workerd.management.fleet_reload import reload_fleet

        return reload_fleet(command, wait=not options["no_wait"], as_json=options["json"])
    request = {"verb": "reload", "way": options["way"], "wait": not options["no_wait"]}
    answer = ask(get_settings(), request, PATIENCE_S)
    if options["json"]:
        command.stdout.write(json.dumps(answer, indent=2))
    elif not answer["ok"]:
        command.stderr.write(str(answer["error"]))
    elif "generation" in answer and options["way"] == "back":
        command.stdout.write(f"every running job is back on generation {answer['generation']}")
    elif "generation" in answer:
        command.stdout.write(f"generation {answer['generation']} is loaded, and every running job has moved to it")
    if "note" in answer and not options["json"]:
        command.stdout.write(str(answer["note"]))
    return exit_codes.DONE if answer["ok"] else exit_codes.FAILED

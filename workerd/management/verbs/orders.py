"""The verbs that give orders to slots: start, stop, restart, resume, dump."""

import json
from argparse import ArgumentParser
from types import ModuleType
from typing import Any

from django.core.management.base import BaseCommand

from workerd.conf import get_settings
from workerd.management.client import ask
from workerd.wire import exit_codes
from workerd.wire.visible import visible

SUMMARIES = {
    "start": "Start slots that are stopped, parked or delayed.",
    "stop": "Stop slots, until they are started, their row's “enabled” changes, or the daemon ends.",
    "restart": "Restart slots gracefully.",
    "resume": "Start slots that are parked.",
    "dump": "Show the stack of every thread of running processes.",
}
PATIENCE_S = 24 * 3600.0
"""The daemon answers when every slot has arrived, each within its own timeouts; it knows how long that takes."""


class OrderVerb:
    """One of these verbs, with the functions that a verb's module has."""

    def __init__(self, verb: str) -> None:
        self.verb = verb
        self.__doc__ = SUMMARIES[verb]

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "names", nargs="*", metavar="SLOT", help="a job (all its slots) or one slot, like price-feed:1"
        )
        parser.add_argument(
            "--all", action="store_true", help="every slot of every job; one that the verb does not suit is no failure"
        )
        parser.add_argument("--no-wait", action="store_true", help="do not wait for the result")
        parser.add_argument("--json", action="store_true", help="for programs: one JSON object")

    def run(self, command: BaseCommand, options: dict[str, Any]) -> int:
        """Give the order and print the result of each slot; return FAILED where one of them is not as ordered."""
        if bool(options["names"]) == options["all"]:
            command.stderr.write(f"Name the jobs or slots to {self.verb}, or use --all; not both.")
            return exit_codes.USAGE
        request = {"verb": self.verb, "names": options["names"], "all": options["all"], "wait": not options["no_wait"]}
        answer = ask(get_settings(), request, PATIENCE_S)
        if options["json"]:
            command.stdout.write(json.dumps(answer, indent=2))
        else:
            print_results(command, answer, has_lines=self.verb == "dump")
        return exit_codes.DONE if answer["ok"] else exit_codes.FAILED


def print_results(command: BaseCommand, answer: dict[str, Any], *, has_lines: bool = False) -> None:
    """Print what became of each slot; a text that ``has_lines`` of its own, as a stack has, is printed as it is."""
    if "error" in answer:
        command.stderr.write(str(answer["error"]))
    for result in answer.get("slots", ()):
        text = result["text"] if has_lines else visible(result["text"])
        (command.stdout if result["ok"] else command.stderr).write(f"{result['slot']}: {text}")
    if "note" in answer:
        command.stdout.write(str(answer["note"]))


def order_verbs() -> dict[str, "OrderVerb | ModuleType"]:
    return {verb: OrderVerb(verb) for verb in SUMMARIES}

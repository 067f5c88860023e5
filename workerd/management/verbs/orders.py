"""The verbs that order slots about: start, stop, restart, resume, dump."""

import json
from argparse import ArgumentParser
from types import ModuleType
from typing import Any

from django.core.management.base import BaseCommand

from workerd.conf import get_settings
from workerd.management.client import NoDaemonError, ask
from workerd.wire import exit_codes

SUMMARIES = {
    "start": "Start slots again that an operator has stopped.",
    "stop": "Stop slots, until they are started, their row's “enabled” changes, or the daemon ends.",
    "restart": "Restart slots, each gracefully.",
    "resume": "Start slots again that were parked.",
    "dump": "Show the stack of every thread of running children.",
}
PATIENCE_S = 24 * 3600.0
"""The daemon answers when the slots have had their time; it knows how long that is."""


class OrderVerb:
    """One of these verbs, as ``manage.py workerd`` knows verbs."""

    def __init__(self, verb: str) -> None:
        self.verb = verb
        self.__doc__ = SUMMARIES[verb]

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take names of jobs or slots, or --all."""
        parser.add_argument(
            "names", nargs="*", metavar="SLOT", help="a job (all its slots) or one slot, like price-feed:1"
        )
        parser.add_argument("--all", action="store_true", help="every slot of every job; who cannot is passed over")
        parser.add_argument("--no-wait", action="store_true", help="do not wait until it has come true")
        parser.add_argument("--json", action="store_true", help="for programs: one JSON object")

    def run(self, command: BaseCommand, options: dict[str, Any]) -> int:
        """Order, say what happened to each slot; 1 where one of them did not do as told."""
        if bool(options["names"]) == options["all"]:
            command.stderr.write(f"name the jobs or slots to {self.verb}, or say --all.")
            return exit_codes.USAGE
        request = {"verb": self.verb, "names": options["names"], "all": options["all"], "wait": not options["no_wait"]}
        try:
            answer = ask(get_settings(), request, PATIENCE_S)
        except NoDaemonError as error:
            command.stderr.write(str(error))
            return exit_codes.NO_DAEMON
        if options["json"]:
            command.stdout.write(json.dumps(answer, indent=2))
        else:
            _tell(command, answer)
        return exit_codes.DONE if answer["ok"] else exit_codes.FAILED


def _tell(command: BaseCommand, answer: dict[str, Any]) -> None:
    if "error" in answer:
        command.stderr.write(str(answer["error"]))
    for one in answer.get("slots", ()):
        (command.stdout if one["ok"] else command.stderr).write(f"{one['slot']}: {one['text']}")


def order_verbs() -> dict[str, "OrderVerb | ModuleType"]:
    """Return these verbs by name."""
    return {verb: OrderVerb(verb) for verb in SUMMARIES}

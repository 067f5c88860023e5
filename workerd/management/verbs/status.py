"""Show what the daemon and every slot are doing; with --fleet, who has which seat."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from workerd.conf import get_settings
from workerd.management.client import ask
from workerd.management.status_table import format_status
from workerd.wire import exit_codes
from workerd.wire.words import State


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--fleet", action="store_true", help="who has which seat, and how the nodes are, as the database has it"
    )
    parser.add_argument("--json", action="store_true", help="for programs: one JSON object")


def run(command: BaseCommand, options: dict[str, Any]) -> int:
    """Print the status; return FAILED while anything is parked, or a seat of the fleet has no holder."""
    if options["fleet"]:
        from workerd.management.fleet_status import show_fleet

        return show_fleet(command, as_json=options["json"])
    status = ask(get_settings(), {"verb": "status"})
    if not status["ok"]:
        command.stderr.write(str(status["error"]))
        return exit_codes.FAILED
    command.stdout.write(json.dumps(status, indent=2) if options["json"] else format_status(status))
    parked = any(slot["state"] == State.PARKED for slot in status["slots"])
    return exit_codes.FAILED if parked else exit_codes.DONE

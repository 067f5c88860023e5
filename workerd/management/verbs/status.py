"""Show what the daemon and every slot are doing."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from workerd.conf import get_settings
from workerd.management.client import NoDaemonError, ask
from workerd.management.status_table import draw
from workerd.wire import exit_codes


def add_arguments(parser: ArgumentParser) -> None:
    """Offer JSON."""
    parser.add_argument("--json", action="store_true", help="for programs: one JSON object")


def run(command: BaseCommand, options: dict[str, Any]) -> int:
    """Print the picture; 1 while anything is parked, 3 where no daemon answers."""
    try:
        picture = ask(get_settings(), {"verb": "status"})
    except NoDaemonError as error:
        command.stderr.write(str(error))
        return exit_codes.NO_DAEMON
    command.stdout.write(json.dumps(picture, indent=2) if options["json"] else draw(picture))
    parked = any(slot["state"] == "PARKED" for slot in picture["slots"])
    return exit_codes.FAILED if parked else exit_codes.DONE

"""Internal: the process from which the daemon has children forked."""

import os
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from workerd.forkserver import bootstrap
from workerd.wire import exit_codes


def add_arguments(parser: ArgumentParser) -> None:
    """Take the descriptor of the daemon's channel."""
    parser.add_argument(bootstrap.CHANNEL_OPTION, type=int, required=True)


def run(command: BaseCommand, _options: dict[str, Any]) -> int:
    """Serve the daemon."""
    if not bootstrap.is_forkserver(sys.argv):
        command.stderr.write("forkserver is an internal verb: the daemon starts it. Use “manage.py workerd run”.")
        return exit_codes.USAGE
    from workerd.forkserver.main import serve  # what a child needs; no other verb should pay for it

    os._exit(serve(bootstrap.start()))

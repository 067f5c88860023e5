"""Internal: the daemon starts it, and has it fork the jobs' processes."""

import os
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from workerd.forkserver import bootstrap


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(bootstrap.CHANNEL_OPTION, type=int, required=True, help="descriptor of the daemon's channel")


def run(_command: BaseCommand, _options: dict[str, Any]) -> int:
    from workerd.forkserver.main import serve  # a child needs it; no other verb should pay for it

    os._exit(serve(bootstrap.start()))

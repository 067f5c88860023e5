"""A command that takes its numbers from its line, and says what its process was given."""

import json
import os
import subprocess
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser


class Command(BaseCommand):
    help = "Says which part it is, in its own process and in one that it starts."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--part", type=int)
        parser.add_argument("--of", type=int)

    def handle(self, *args: Any, **options: Any) -> None:
        shown = {"part": [options["part"], options["of"]], "argv": sys.argv[1:], "directory": os.getcwd()}  # noqa: PTH109
        print(json.dumps(shown), flush=True)
        subprocess.run(["sh", "-c", "echo $QUEUE from $PWD"], check=True)

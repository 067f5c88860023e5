"""A command that knows nothing of workerd, and ends as one does at Ctrl-C."""

import time
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser


class Command(BaseCommand):
    help = "Waits for Ctrl-C, and leaves a line when it has come."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("path", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            print("waits", flush=True)
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:
            with options["path"].open("a") as file:
                file.write("command\n")

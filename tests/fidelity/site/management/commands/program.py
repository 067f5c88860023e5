"""Runs a package's program in this process, as projects do that want its output and settings in one place."""

import sys
from importlib.metadata import entry_points
from typing import Any

from django.core.management.base import BaseCommand, CommandParser


class Command(BaseCommand):
    """``program gunicorn --bind …``."""

    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("words", nargs="...")

    def handle(self, *, words: list[str], **options: Any) -> None:
        (entry,) = entry_points(group="console_scripts", name=words[0])
        sys.argv[:] = words
        __import__(entry.module, fromlist=[entry.attr.partition(".")[0]])  # as the program's script does
        sys.exit(entry.load()())

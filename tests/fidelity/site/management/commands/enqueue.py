"""Hands out work, as a web process of the project would."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser


class Command(BaseCommand):
    """``enqueue NAME=SECONDS …``."""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("works", nargs="+")

    def handle(self, *, works: list[str], **options: Any) -> None:
        from tests.fidelity.site.tasks import enqueue

        for name, _, seconds in (work.partition("=") for work in works):
            enqueue(name, float(seconds))

"""Gives the engine of this site its tasks."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.utils.module_loading import import_string


class Command(BaseCommand):
    """Enqueue the tasks ``first`` to ``first + count - 1``, by the function that the settings name."""

    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("first", type=int)
        parser.add_argument("count", type=int)
        parser.add_argument("seconds", type=float)

    def handle(self, *args: Any, **options: Any) -> None:
        enqueue = import_string(settings.ENQUEUE)  # type: ignore[misc]
        for number in range(options["first"], options["first"] + options["count"]):
            enqueue(number, options["seconds"])

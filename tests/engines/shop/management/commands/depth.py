"""Says how many tasks of this site's engine wait."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.utils.module_loading import import_string

from workerd.contrib.depths import counter_of


class Command(BaseCommand):
    """Print what a scaler would count."""

    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("depth")

    def handle(self, *args: Any, **options: Any) -> None:
        import_string(settings.ENQUEUE)  # type: ignore[misc]  # loads the engine's app, as a daemon does
        self.stdout.write(str(counter_of(options["depth"])().waiting))

"""An ordinary management command with a loop. workerd runs it unchanged."""

import time
from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from shop.models import Cart


class Command(BaseCommand):
    """Deletes abandoned carts until Ctrl-C."""

    help = "Delete abandoned carts, again and again, until Ctrl-C."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--every", type=float, default=5, metavar="SECONDS", help="pause between two looks")
        parser.add_argument("--older-than", type=float, default=30, metavar="SECONDS", help="age of an abandoned cart")

    def handle(self, *, every: float, older_than: float, **_: Any) -> None:
        try:
            while True:
                deleted, _ = Cart.objects.filter(touched__lt=timezone.now() - timedelta(seconds=older_than)).delete()
                if deleted:
                    self.stdout.write(f"deleted {deleted} abandoned carts")
                time.sleep(every)
        except KeyboardInterrupt:
            self.stdout.write("asked to stop")

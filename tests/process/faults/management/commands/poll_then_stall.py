"""A command that knows nothing of workerd: it polls a table, and one day it does not get on."""

import time
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from tests.process.bad_jobs.models import Mark


class Command(BaseCommand):
    help = "Asks for marks every 50 ms, and stops asking after a while."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--polls", type=int, default=40)
        parser.add_argument("--path", type=Path, required=True)

    def handle(self, *_args: Any, polls: int, path: Path, **_options: Any) -> None:
        for _ in range(polls):
            list(Mark.objects.all()[:1])
            asked = time.time()
            time.sleep(0.05)
        path.write_text(repr(asked))
        self.wait_for_ever()

    def wait_for_ever(self) -> None:
        time.sleep(3600)

"""Jobs that say what their process was given, and a command that does."""

import json
import os
import sys
from typing import Any

from django.core.management import get_commands
from django.core.management.base import BaseCommand, CommandParser

from workerd import JobContext, job

sys.path.append("")  # the directory that the process is in, as with ``python -c``


@job
def tell(context: JobContext, names: list[str]) -> None:
    """Says what it finds: variables (backwards: no mask), the directory, the umask, where imports are looked for."""
    umask = os.umask(0)
    os.umask(umask)
    found = {name: os.environ.get(name, "")[::-1] for name in names}
    relative = [entry for entry in sys.path if not os.path.isabs(entry)]  # noqa: PTH117
    line = {"environment": found, "directory": os.getcwd(), "umask": f"{umask:03o}", "relative": relative}  # noqa: PTH109
    print(json.dumps(line), flush=True)


@job
def confess(context: JobContext, name: str) -> None:
    """Prints a variable, and fails with it."""
    print(os.environ[name], flush=True)
    raise ValueError(os.environ[name])


class Shard(BaseCommand):
    """Takes its numbers from its line."""

    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--part", type=int, choices=range(4))
        parser.add_argument("--of", type=int)
        parser.add_argument("--extra", default="")

    def handle(self, *args: Any, **options: Any) -> None:
        print(json.dumps([sys.argv[1:], options["part"], options["of"], options["extra"]]), flush=True)


get_commands()["shard"] = Shard()  # type: ignore[assignment]  # as ``call_command`` takes one

"""The plain loop of a project: does what it finds in a folder, until it is stopped."""

import os
import time
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand
from django.db import connection

from tests.fidelity.site.work import work


def put(name: str, seconds: float) -> None:
    """Leave work for the loop."""
    folder = Path(os.environ["FIDELITY_FOLDER"])
    (folder / "new").write_text(str(seconds))
    (folder / "new").rename(folder / f"{name}.todo")


def put_at(path: Path) -> int:
    return path.stat().st_mtime_ns


class Command(BaseCommand):
    def handle(self, **options: Any) -> None:
        while True:
            for path in sorted(Path(os.environ["FIDELITY_FOLDER"]).glob("*.todo"), key=put_at):
                seconds = float(path.read_text())
                path.unlink()
                with connection.cursor() as cursor:
                    cursor.execute("SELECT 1")
                work(path.stem, seconds)
            time.sleep(0.1)

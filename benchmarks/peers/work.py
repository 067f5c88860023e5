"""What every process does that is killed: it notes when its first line ran, uses the database, and waits."""

import os
import time
from pathlib import Path
from typing import Any, NamedTuple

LINES = "BENCHMARK_LINES"
"""The variable that names the file of first lines."""


class FirstLine(NamedTuple):
    """When the project's own code began in a process; ``at`` is monotonic nanoseconds."""

    pid: int
    at: int


def note(**_: Any) -> None:
    """Write pid and monotonic clock, then use the database as a job does."""
    at = time.monotonic_ns()
    file = os.open(os.environ[LINES], os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    os.write(file, f"{os.getpid()} {at}\n".encode())
    os.close(file)
    from workerd.models import Job

    Job.objects.count()


def note_and_wait() -> None:
    """Note the first line, and wait to be killed."""
    note()
    while True:
        time.sleep(3600)


def first_lines(path: Path) -> list[FirstLine]:
    """Return every first line so far, whole ones only."""
    if not path.exists():
        return []
    return [
        FirstLine(*map(int, line.split())) for line in path.read_text().splitlines(keepends=True) if line[-1] == "\n"
    ]

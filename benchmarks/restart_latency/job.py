"""A function that notes when its first line ran, and is killed later."""

import os
import time


def note_first_line(path: str) -> None:
    """Write pid, wall clock and monotonic clock; then use the database, as a job does, and wait."""
    at, wall = time.monotonic_ns(), time.time()
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    os.write(file, f"{os.getpid()} {at} {wall}\n".encode())
    os.close(file)
    from workerd.models import Job

    Job.objects.count()
    while True:
        time.sleep(3600)

"""A singleton that writes witness lines, by a clock that all processes of the machine share."""

import os
import time

from workerd import JobContext, job

EVERY_S = 0.005


@job
def witness(context: JobContext, path: str) -> None:
    """Write node, token and monotonic nanoseconds, again and again."""
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    line = f"{os.environ['WORKERD_NAME']} {context.token}"
    os.write(file, f"{line} {time.monotonic_ns()}\n".encode())
    for _ in context.every(EVERY_S):
        os.write(file, f"{line} {time.monotonic_ns()}\n".encode())

"""Jobs that write, and close what they write to."""

import logging
import os
import subprocess
import sys
from typing import Any

from django.core.management import BaseCommand, call_command
from django.db import connection

from workerd import JobContext, job

from .models import Mark


@job
def query_without_descriptors(context: JobContext, first: int = 1) -> None:
    """Close descriptors as one that becomes a daemon does; the connection then takes the lowest numbers."""
    os.closerange(first, 65536)
    for turn, _ in enumerate(context.every(0.1)):
        with connection.cursor() as cursor:
            cursor.execute("SELECT %s", [turn])
            assert cursor.fetchone() == (turn,)
        print(f"turn {turn}")
        logging.getLogger("shop").error("turn %d", turn)
        context.log.error("turn", number=turn)
        context.beat(f"turn {turn}")
        Mark.objects.create(job=context.job_name, pid=os.getpid(), text=str(turn))


@job
def leave_half_lines(context: JobContext) -> None:
    subprocess.run(["printf", "50 %%"], check=True)
    logging.getLogger("shop").error("an event")
    subprocess.run(["sh", "-c", "printf 'an error' >&2"], check=True)
    context.wait()


@job
def show_progress_and_abort(context: JobContext) -> None:
    """A bar of 300 KiB without a newline, then last words without one."""
    for percent in range(3000):
        os.write(1, f"\r{percent:4} {'#' * 100}".encode())
    os.write(2, b"\rlast words")
    os.abort()


@job
def log_each_level(context: JobContext) -> None:
    for level in ("debug", "info", "warning", "error"):
        getattr(logging.getLogger("httpx"), level)("a %s", level)
    sys.stderr.write("done\n")
    context.wait()


class _Handler(logging.Handler):
    """A library's, which prints by itself."""

    def emit(self, record: logging.LogRecord) -> None:
        print(f"{record.levelname} by the library: {record.getMessage()}")


class _Command(BaseCommand):
    def handle(self, *_args: Any, **_options: Any) -> None:
        self.stdout.write("level=info msg=command")
        self.stderr.write("level=warn msg=command")


@job
def print_each_way(context: JobContext) -> None:
    print("INFO: print")
    print("WARNING: print", file=sys.stderr)
    os.write(1, b"[INFO] write\n")
    os.write(2, b"[ERROR] write\n")
    call_command(_Command())
    lines = ('{"level":20,"msg":"program"}', '{"level":"fatal","msg":"program"}')
    subprocess.run(["sh", "-c", 'echo "$1"; echo "$2" >&2', "sh", *lines], check=True)
    logging.getLogger().addHandler(_Handler())
    logging.getLogger("shop").critical("record")
    sys.stderr.write("done\n")


@job
def flood(context: JobContext, lines: int = 131_072) -> None:
    """Print lines of two bytes without end, as fast as the pipe takes them."""
    while not context.stopping:
        os.write(1, b"x\n" * lines)


@job
def write_long_lines(context: JobContext) -> None:
    """Print 100 KiB a second."""
    for _ in context.every(0.1):
        print("\n".join(["x" * 1000] * 10))

"""Jobs that leave a line in a file of their own each 10 ms, by the machine's clock: who ran when."""

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

from workerd import JobContext, job
from workerd.wire.lease import boot_time

FOLDER = "FLEET_WITNESSES"
EVERY_S = 0.01


@job
def witness(context: JobContext) -> None:
    """Writes in its turns, as a well-behaved job does."""
    line = _open(context)
    for _ in context.every(EVERY_S):
        os.write(line, f"{boot_time():.6f}\n".encode())


@job
def deaf(context: JobContext) -> None:
    """Writes whatever is asked of it: neither TERM nor the context ends it."""
    _write_for_ever(context)


def _write_for_ever(context: JobContext) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    line = _open(context)
    while True:
        os.write(line, f"{boot_time():.6f}\n".encode())
        time.sleep(EVERY_S)


def _open(context: JobContext) -> int:
    name = f"{context.job_name}:{context.index} {context.token} {socket.gethostname()} {os.getpid()}"
    path = Path(os.environ[FOLDER]) / name
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


@job
def with_grandchild(context: JobContext) -> None:
    """Starts a process that leads a session of its own, and is deaf."""
    started = subprocess.Popen(["sleep", "3600"], start_new_session=True)
    path = Path(os.environ[FOLDER]).parent / "grandchild"
    if not path.exists():
        path.write_text(str(started.pid))
    _write_for_ever(context)

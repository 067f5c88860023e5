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
DUES = "dues"
EVERY_S = 0.01
SCHEDULED_TURNS = 150


@job
def witness(context: JobContext) -> None:
    """Writes in its turns, as a well-behaved job does."""
    line = _open(context)
    for _ in context.every(EVERY_S):
        os.write(line, f"{boot_time():.6f}\n".encode())


@job
def scheduled(context: JobContext) -> None:
    """Writes for a moment, and leaves in one file which due moment it began to run for, and came to the end of."""
    assert context.due is not None
    line = _open(context)
    _note(context, "begin")
    for turn in context.every(EVERY_S):
        os.write(line, f"{boot_time():.6f}\n".encode())
        if turn >= SCHEDULED_TURNS:
            _note(context, "end")
            return


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


def _note(context: JobContext, word: str) -> None:
    assert context.due is not None
    seat, moment = f"{context.job_name}:{context.index}", round(context.due.timestamp())
    line = f"{word} {seat} {moment} {context.run_id} {context.token} {socket.gethostname()} {time.time():.3f}\n"
    path = Path(os.environ[FOLDER]).parent / DUES
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    os.write(descriptor, line.encode())
    os.close(descriptor)


@job
def with_grandchild(context: JobContext) -> None:
    """Starts a process that leads a session of its own, and is deaf."""
    started = subprocess.Popen(["sleep", "3600"], start_new_session=True)
    path = Path(os.environ[FOLDER]).parent / "grandchild"
    if not path.exists():
        path.write_text(str(started.pid))
    _write_for_ever(context)

"""Jobs that leave a line in a file of their own each 10 ms, by the machine's clock: who ran when."""

import ctypes
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

from tests.process.bad_jobs.models import Mark
from workerd import JobContext, job

FOLDER = "FLEET_WITNESSES"
DUES = "dues"
SCHEDULED_TURNS = 150
HANGING = "FLEET_HANGING"
"""Where the folder is that answers nobody."""
EVERY_S = 0.01
IN_TURN_S = 0.3
WORKERS = 3


@job
def witness(context: JobContext) -> None:
    """Writes in its turns, as a well-behaved job does."""
    line = _open(context)
    for _ in context.every(EVERY_S):
        _write(line)


@job
def scheduled(context: JobContext) -> None:
    """Writes for a moment, and leaves in one file which due moment it began to run for, and came to the end of."""
    assert context.due is not None
    line = _open(context)
    _note(context, "begin")
    for turn in context.every(EVERY_S):
        _write(line)
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
        _write(line)
        time.sleep(EVERY_S)


@job
def pool(context: JobContext) -> None:
    """Forks workers that are as deaf as it is, and write into its own file."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    line = _open(context)
    for _ in range(WORKERS):
        if os.fork() == 0:
            break
    while True:
        _write(line)
        time.sleep(EVERY_S)


@job
def fencer(context: JobContext) -> None:
    """Writes a line and a row in each turn, and is long within the transaction."""
    line = _open(context)
    for _ in context.every(EVERY_S):
        with context.fenced():
            Mark.objects.create(job=context.job_name, pid=os.getpid())
            _write(line)
            time.sleep(IN_TURN_S)


@job
def hanging(context: JobContext) -> None:
    """Writes until there is a folder to look at that answers nobody, and then waits for it."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    line, folder = _open(context), Path(os.environ[HANGING])
    while not folder.parent.joinpath("look").exists():
        _write(line)
        time.sleep(EVERY_S)
    folder.stat()


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


_LIBC = ctypes.CDLL("libc.so.6")
"""Its own functions, also where a library before it shows this process other clocks than the machine's."""


def _write(line: int) -> None:
    now = _Timespec()
    _LIBC.clock_gettime(time.CLOCK_BOOTTIME, ctypes.byref(now))
    os.write(line, b"%d.%06d\n" % (now.seconds, now.nanoseconds // 1000))


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

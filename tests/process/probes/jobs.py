"""Jobs that report on themselves in files. A process locks its slot's file, so that a second one in the slot shows."""

import fcntl
import json
import os
import signal
import sys
import uuid
from pathlib import Path

from workerd import JobContext, job
from workerd.conf import get_settings


@job
def stay_alone(context: JobContext, folder: str) -> None:
    """Claims its slot, which no other process may have at this moment, says who it is, and waits."""
    claim = claim_slot(context, _own(folder))
    write_report(context, _own(folder), "stays")
    context.wait()
    os.close(claim)


@job
def end_at_once(context: JobContext, folder: str) -> None:
    """Claims its slot, says how it will end, and ends in that way."""
    claim_slot(context, _own(folder))
    kind, number = _choose_end(context.run_id)
    write_report(context, _own(folder), f"{kind} {number}")
    if kind == "signal":
        os.kill(os.getpid(), number)
    os._exit(number)


def _choose_end(run_id: str) -> tuple[str, int]:
    """Return any end but those that mean more than an end: exit codes 75 and 78."""
    dice = uuid.UUID(run_id).int
    if dice % 4 == 0:
        return "signal", (signal.SIGKILL, signal.SIGUSR1, signal.SIGSEGV, signal.SIGABRT)[dice // 4 % 4]
    return "code", dice // 4 % 75


@job
def say_goodbye(context: JobContext, path: str) -> None:
    """Waits until asked to stop, and leaves a line when it has."""
    context.beat("waits")
    context.wait()
    _append(Path(path), context.job_name)


@job
async def say_goodbye_async(context: JobContext, path: str) -> None:
    """As above, from an event loop."""
    context.beat("waits")
    await context.await_stop()
    _append(Path(path), context.job_name)


@job
def write_odd_note(context: JobContext) -> None:
    """Beats with a note that no database keeps as it is, and waits."""
    context.beat("before\0after \ud800 and \x1b[31m")
    context.wait()


def claim_slot(context: JobContext, folder: Path) -> int:
    """Lock the slot's file for as long as this process lives; a line in ``doubles`` where another has it."""
    name = f"{context.job_name}.{context.index}"
    claim = os.open(folder / f"{name}.claim", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.lockf(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        _append(folder / "doubles", f"{name} has a second child {os.getpid()}")
    return claim


def write_report(context: JobContext, folder: Path, end: str) -> None:
    """Leave a line: which run, which slot, which process, and how it will end."""
    _append(folder / "reports", f"{context.run_id} {context.job_name} {context.index} {os.getpid()} {end}")


def _append(path: Path, line: str) -> None:
    """One write of one line, which no other process's can tear."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, f"{line}\n".encode())
    finally:
        os.close(descriptor)


def _own(folder: str) -> Path:
    """Return the folder of this daemon's children: several may run the same rows."""
    return Path(folder) / get_settings().name


def show_environment() -> None:
    """Says as one line of JSON what this process knows of itself."""
    names = [f"WORKERD_{end}" for end in ("JOB", "SLOT", "INDEX", "PROCESSES", "RUN")]
    shown = {"argv": sys.argv[1:], "TRACEPARENT": os.environ.get("TRACEPARENT")}
    print(json.dumps({**shown, **{name: os.environ[name] for name in names}}))


@job
def show_surroundings(context: JobContext) -> None:
    """Says what its process was given, and leaves a file where it is."""
    umask = os.umask(0)
    os.umask(umask)
    Path(f"made-{context.index}").touch()
    shown = {"QUEUE": os.environ.get("QUEUE"), "directory": os.getcwd(), "umask": f"{umask:03o}"}  # noqa: PTH109
    print(json.dumps(shown), flush=True)
    context.wait()

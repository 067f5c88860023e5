"""Processes as /proc shows them: whether one is still the same, whose mark it carries; and how they are killed."""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from workerd.wire.words import RUN_VARIABLE

_NO_RUN = "forkserver-"
"""Begins the mark of a process that its forkserver has just born, and of the forkserver."""


def start_of(pid: int) -> int | None:
    """Return when a process was started, in clock ticks since the boot; None where it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        return None if fields[0] in "ZX" else int(fields[19])
    except (OSError, ValueError, IndexError):
        return None


def run_of(pid: int, started: int) -> str:
    """Return the run whose mark the process carries, "" where that cannot be read."""
    run = _mark(pid)
    return run if start_of(pid) == started and not run.startswith(_NO_RUN) else ""


def find_marked(run: str) -> Iterator[int]:
    """Yield the processes that carry the mark of the run."""
    numbers = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    yield from (pid for pid in numbers if pid != os.getpid() and _mark(pid) == run)


def kill_group(pid: int, started: int) -> bool:
    """Kill the group of a process, unless the pid is another one's by now; return whether the process was alive."""
    if start_of(pid) != started:
        return False
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    return True


def kill_marked(pid: int, run: str) -> bool:
    """Kill a process, unless the pid is another one's by now; return whether that was sent."""
    try:
        descriptor = os.pidfd_open(pid)
    except OSError:
        return False
    try:
        if start_of(pid) is None or _mark(pid) != run:
            return False
        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
    except OSError:
        return False
    else:
        return True
    finally:
        os.close(descriptor)


def _mark(pid: int) -> str:
    try:
        entries = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:  # it is gone meanwhile, or another user's
        return ""
    name = RUN_VARIABLE.encode() + b"="
    mark = next((entry[len(name) :] for entry in entries if entry.startswith(name)), b"")
    return mark.decode("utf-8", "replace").strip()

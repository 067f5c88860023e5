"""The process of a node's daemon, as the node's row tells of it: a later daemon sees here whether that has ended.

Only a daemon of the same boot and the same pid namespace can see that; elsewhere nothing is certain.
"""

import json
import os
import uuid
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from workerd.wire.machine import boot_id, pid_namespace

from .seats.processes import start_of


class DaemonProcess(NamedTuple):
    """The process that had a ``life``. A row that an older release has taken since then still has it: no life fits."""

    life: str
    boot: str
    namespace: str
    pid: int
    started: int
    """In clock ticks since the boot."""

    def to_json(self) -> str:
        """Return what stands in the row."""
        return json.dumps(self._asdict())


def own_daemon(life: uuid.UUID) -> str:
    """Return what the row of our daemon, which has this life, says of its process; "" where /proc does not tell."""
    pid = os.getppid()
    started = start_of(pid) if _shows_own_pids() else None
    boot, namespace = boot_id(), pid_namespace()
    if started is None or not boot or not namespace:
        return ""
    return DaemonProcess(str(life), boot, namespace, pid, started).to_json()


def has_surely_ended(text: str | None, life: uuid.UUID) -> bool:
    """Return whether the process with that life, of which a row says this, ran where we look, and runs no more."""
    told = _read(text)
    if told is None or told.life != str(life) or (told.boot, told.namespace) != (boot_id(), pid_namespace()):
        return False
    return _shows_own_pids() and _is_gone(told.pid, told.started)


def _is_gone(pid: int, started: int) -> bool:
    """Return whether there is no such process, or a later one of that pid. /proc may hide what is another user's."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass  # it is there, another user's
    seen = start_of(pid)
    return seen is not None and seen != started


def _shows_own_pids() -> bool:
    """Return whether /proc is that of our own pid namespace."""
    with suppress(OSError):
        return str(Path("/proc/self").readlink()) == str(os.getpid())
    return False


def _read(text: str | None) -> DaemonProcess | None:
    try:
        told = DaemonProcess(**json.loads(text or "{}"))
    except (ValueError, TypeError, RecursionError):
        return None
    is_whole = all(type(number) is int and number > 0 for number in (told.pid, told.started))
    return told if is_whole and told.boot and told.namespace else None

"""Signals to processes that the daemon has not reaped, so that a pid cannot be another's; no refusal raises."""

import os
import signal
from contextlib import suppress


def send(pid: int, number: int) -> str:
    """Send a signal to one process; return why it could not be sent. One that is gone needs none."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return ""
    except OSError as error:  # it runs as another user, and the daemon is not root or lacks CAP_KILL
        return error.strerror or str(error)
    return ""


def kill_all(pid: int) -> str:
    """Send KILL to the group of a process, and to it: it may have left its group. Return why it could not be sent."""
    with suppress(OSError):  # nobody is left in it, or nobody who may be signalled
        os.killpg(pid, signal.SIGKILL)
    return send(pid, signal.SIGKILL)


def is_group(group: int) -> bool:
    """Return whether anybody is in a process group, of whom its leader may be gone."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True

"""What happens to the daemon and to its own children."""

import random
import signal
import time
from pathlib import Path

from tests.harness.processes import Process
from tests.soak.runner import Soak

from .fault import RECOVERY_S, RELOAD_S, Fault, send

STOPPED_WITHIN_S = 5.0
WAITS = ("232", "281", "22", "441")
"""epoll_wait and epoll_pwait on x86-64, epoll_pwait on arm64, epoll_pwait2."""


def _kill_ledger(soak: Soak, _: random.Random) -> bool:
    return send(soak.daemon.slot("workerd.ledger").get("pid"), signal.SIGKILL)


def _kill_forkserver(soak: Soak, _: random.Random) -> bool:
    with soak.excuse(RELOAD_S):
        return send(soak.daemon.picture()["daemon"]["forkserver_pid"], signal.SIGKILL)


def _stop_daemon(soak: Soak, dice: random.Random) -> bool:
    with soak.excuse(RECOVERY_S):
        pid = soak.daemon.pid
        stopped = _stop_between_turns(pid)
        if stopped:
            time.sleep(dice.uniform(1, 6))
        return send(pid, signal.SIGCONT) and stopped


def _stop_between_turns(pid: int) -> bool:
    """Stop it where it sleeps, so that the figure of its longest turn has nothing of the stop."""
    deadline = time.monotonic() + STOPPED_WITHIN_S
    while send(pid, signal.SIGSTOP) and time.monotonic() < deadline:
        while (process := Process.look(pid)) and process.state not in "TZ" and time.monotonic() < deadline:
            time.sleep(0.001)  # another fault may have it go on
        if process is not None and process.state == "T" and _sleeps(pid):
            return True
        send(pid, signal.SIGCONT)
        time.sleep(0.01)
    return False


def _sleeps(pid: int) -> bool:
    return Path(f"/proc/{pid}/syscall").read_text().split()[0] in WAITS


def _reload(soak: Soak, _: random.Random) -> bool:
    with soak.excuse(RELOAD_S):
        soak.daemon.signal(signal.SIGHUP)
    return True


PROCESSES: dict[str, Fault] = {
    "ledger killed": _kill_ledger,
    "forkserver killed": _kill_forkserver,
    "daemon stopped and continued": _stop_daemon,
    "code reloaded": _reload,
}

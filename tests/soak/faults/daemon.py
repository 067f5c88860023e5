"""The daemon killed, and two new ones started at once: one of them supervises, and the other says so and ends."""

import random
import signal
import time

from tests.soak import evidence
from tests.soak.runner import Soak

from .fault import RELOAD_S, BrokenError, Fault
from .rollout import begin_rollout

START_WITHIN_S = 60.0
ANOTHER_RUNS = 75


def _killing(in_rollout: bool) -> Fault:
    done = 0

    def kill(soak: Soak, _: random.Random) -> bool:
        nonlocal done
        if soak.spare_daemon and done:
            return False
        with soak.alone, soak.excuse(RELOAD_S):
            as_meant = not in_rollout or begin_rollout(soak)
            replace_daemon(soak)
        done += as_meant
        return as_meant

    return kill


def replace_daemon(soak: Soak) -> None:
    """Kill the daemon, start two, and have the one that supervises be the soak's."""
    soak.lives += 1
    soak.daemon.signal(signal.SIGKILL)
    soak.daemon.wait()
    soak.may_be_lost |= evidence.read_latest(soak.folder)
    rivals = [soak.new_daemon(), soak.new_daemon()]
    for rival in rivals:
        soak.start(rival)
    deadline = time.monotonic() + START_WITHIN_S
    while all(rival.is_running for rival in rivals) or not any(rival.events("daemon.ready") for rival in rivals):
        if time.monotonic() > deadline or not any(rival.is_running for rival in rivals):
            break
        time.sleep(0.05)
    running = [rival for rival in rivals if rival.is_running]
    ended = [rival for rival in rivals if not rival.is_running]
    if running:
        soak.daemon = running[0]
        soak.lives += 1
    codes = [rival.wait() for rival in ended]
    if codes != [ANOTHER_RUNS]:
        raise BrokenError(f"of two daemons started at once these ended: {codes}; {soak.daemon.stderr[-500:]}")


DAEMON: dict[str, Fault] = {
    "daemon killed, two started": _killing(in_rollout=False),
    "daemon killed in a rollout, two started": _killing(in_rollout=True),
}

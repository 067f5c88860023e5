"""What the machine lacks for some seconds: room, inodes, descriptors, processes, the right time."""

import random
import resource
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.harness.processes import Process
from tests.soak.runner import Soak

from .child import any_child
from .fault import JOURNAL_BACK_S, RECOVERY_S, RELOAD_S, Fault, send

LACK_S = (1.5, 4.0)
KILLED_MEANWHILE = 3
STEPS_S = (3600, -3600, 86_400, -86_400, 40 * 86_400, 5 * 365 * 86_400, -5 * 365 * 86_400)


def machine_faults(soak: Soak) -> dict[str, Fault]:
    """Return those that can be made here, as this user."""
    faults: dict[str, Fault] = {"few descriptors": _lacking(_few_descriptors)}
    if soak.disk.is_small:
        faults |= {"disk full": _lacking(_full_disk), "no inodes": _lacking(_no_inodes)}
    if soak.group.works:
        faults |= {"few processes": _lacking(_few_processes)}
    if soak.clock.works:
        faults |= {"clock step": _step_clock}
    return faults


Lack = Callable[[Soak, random.Random], Iterator[bool]]
"""Yields once while something is lacking: whether it is."""


def _lacking(lack: Lack) -> Fault:
    """Kill some children while it is lacking: each needs a successor."""

    def make(soak: Soak, dice: random.Random) -> bool:
        with soak.alone, soak.excuse(RELOAD_S), contextmanager(lack)(soak, dice) as lacks:
            until = time.monotonic() + dice.uniform(*LACK_S)
            for _ in range(KILLED_MEANWHILE):
                send(any_child(soak, dice), signal.SIGKILL)
                time.sleep(0.2)
            time.sleep(max(0.0, until - time.monotonic()))
        return lacks

    return make


def _full_disk(soak: Soak, _: random.Random) -> Iterator[bool]:
    try:
        yield soak.disk.fill()
    finally:
        soak.disk.make_room()
        time.sleep(JOURNAL_BACK_S)


def _no_inodes(soak: Soak, _: random.Random) -> Iterator[bool]:
    try:
        yield soak.disk.take_inodes()
    finally:
        soak.disk.make_room()
        time.sleep(JOURNAL_BACK_S)


def _few_processes(soak: Soak, dice: random.Random) -> Iterator[bool]:
    soak.group.limit(dice.randrange(3))
    try:
        yield True
    finally:
        soak.group.unlimit()


def _few_descriptors(soak: Soak, dice: random.Random) -> Iterator[bool]:
    """Of the daemon and its forkserver."""
    before = {}
    for pid in (soak.daemon.pid, soak.daemon.picture()["daemon"]["forkserver_pid"]):
        if pid and (process := Process.look(pid)):
            if not (used := process.descriptors()):
                continue  # it has just ended: another fault is under way
            before[pid] = resource.prlimit(pid, resource.RLIMIT_NOFILE)
            few = max(used) + 1 + dice.randrange(4)
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (few, before[pid][1]))
    try:
        yield True
    finally:
        for pid, limits in before.items():
            if Process.look(pid):
                resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)


def _step_clock(soak: Soak, dice: random.Random) -> bool:
    """There and back: two steps."""
    with soak.excuse(RECOVERY_S):
        soak.clock.set_ahead(dice.choice(STEPS_S))
        time.sleep(dice.uniform(*LACK_S))
        soak.clock.set_ahead(0)
    return True

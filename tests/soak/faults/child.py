"""What a job's child does by itself, and what signals do to it."""

import random
import signal
import time
from contextlib import suppress

from tests.harness.processes import Process
from tests.soak import evidence, jobs
from tests.soak.runner import JOBS, Soak

from .fault import RECOVERY_S, Fault, send

PARKED_WITHIN_S = 20


def _misbehave(behaviour: str) -> Fault:
    def tell(soak: Soak, dice: random.Random) -> bool:
        index = dice.randrange(JOBS["misbehaving"]["processes"])
        jobs.order(soak.folder, index, behaviour)
        path = soak.folder / f"order.{index}"
        deadline = time.monotonic() + 15
        while path.exists():
            if time.monotonic() > deadline:
                path.unlink(missing_ok=True)
                return False
            time.sleep(0.05)
        if behaviour == "exit 78":
            with soak.excuse(RECOVERY_S, {"misbehaving"}):
                return _resume(soak, f"misbehaving:{index}")
        if behaviour == "ignore TERM":
            soak.daemon.ask({"verb": "restart", "names": [f"misbehaving:{index}"], "wait": False})
        return True

    return tell


def _resume(soak: Soak, slot: str) -> bool:
    """Resume the slot once it is parked, whichever daemon is there by then: another fault may replace it meanwhile."""
    deadline = time.monotonic() + PARKED_WITHIN_S
    while time.monotonic() < deadline:
        with suppress(OSError, ValueError):
            if soak.daemon.ask({"verb": "resume", "names": [slot], "wait": False})["ok"]:
                return True
        time.sleep(0.1)
    return False


def _signal(number: int) -> Fault:
    def do(soak: Soak, dice: random.Random) -> bool:
        return send(any_child(soak, dice), number)

    return do


def any_child(soak: Soak, dice: random.Random) -> int | None:
    """Return the pid of a child that lives, of any slot."""
    newest = {report.slot: report.pid for report in evidence.read_reports(soak.folder)}
    slots = sorted(soak.slots())
    dice.shuffle(slots)
    return next((newest[slot] for slot in slots if slot in newest and Process.look(newest[slot])), None)


BEHAVIOURS: dict[str, Fault] = {f"child: {behaviour}": _misbehave(behaviour) for behaviour in jobs.BEHAVIOURS}
SIGNALS: dict[str, Fault] = {
    f"child: {number.name}": _signal(number) for number in (signal.SIGKILL, signal.SIGSEGV, signal.SIGSTOP)
}

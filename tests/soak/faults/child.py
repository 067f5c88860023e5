"""What a job's child does by itself, and what signals do to it."""

import random
import signal
import time

from tests.harness.processes import Process
from tests.soak import evidence, jobs
from tests.soak.runner import JOBS, Soak

from .fault import RECOVERY_S, Fault, send


def _misbehave(behaviour: str) -> Fault:
    def tell(soak: Soak, dice: random.Random) -> bool:
        index = dice.randrange(JOBS["misbehaving"]["processes"])
        since = soak.daemon.log.position
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
                soak.daemon.wait_event("child.parked", since=since, slot=f"misbehaving:{index}", within=20)
                return bool(soak.daemon.ask({"verb": "resume", "names": [f"misbehaving:{index}"], "wait": False})["ok"])
        if behaviour == "ignore TERM":
            soak.daemon.ask({"verb": "restart", "names": [f"misbehaving:{index}"], "wait": False})
        return True

    return tell


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

"""A process killed while a rollout moves the slots."""

import random
import signal
import time
from collections.abc import Callable
from contextlib import suppress

from tests.soak.runner import Soak

from .child import any_child
from .fault import RELOAD_S, Fault, send

LOADED_WITHIN_S = 25.0
LOADING, MOVING = "is being loaded", "the others follow"
LOOK_EVERY_S = 0.1


def begin_rollout(soak: Soak) -> bool:
    """Reload, and return True as soon as slots move; False where other faults had every load rejected."""
    deadline = time.monotonic() + LOADED_WITHIN_S
    while time.monotonic() < deadline:
        with suppress(OSError):
            account = soak.daemon.picture()["daemon"]["reload"]
            if MOVING in account:
                return True
            if LOADING not in account:
                soak.daemon.signal(signal.SIGHUP)
        time.sleep(LOOK_EVERY_S)
    return False


def settle_rollout(soak: Soak) -> list[str]:
    """Have every slot run one generation, so that no former forkserver is kept; return what is wrong."""
    answer = soak.daemon.ask({"verb": "reload", "wait": True}, 60.0)
    if not answer["ok"]:
        answer = soak.daemon.ask({"verb": "reload", "way": "go_on", "wait": True}, 60.0)
    return [] if answer["ok"] else [f"the last reload: {answer['error']}"]


def _killing(victim: Callable[[Soak, random.Random], int | None]) -> Fault:
    def kill(soak: Soak, dice: random.Random) -> bool:
        with soak.excuse(RELOAD_S):
            return begin_rollout(soak) and send(victim(soak, dice), signal.SIGKILL)

    return kill


ROLLOUT: dict[str, Fault] = {
    "child killed in a rollout": _killing(any_child),
    "ledger killed in a rollout": _killing(lambda soak, _: soak.daemon.slot("workerd.ledger").get("pid")),
    "forkserver killed in a rollout": _killing(lambda soak, _: soak.daemon.picture()["daemon"]["forkserver_pid"]),
}

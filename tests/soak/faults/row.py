"""What operators do to rows."""

import random
import time

from tests.soak.runner import Soak

from .fault import RECOVERY_S, Fault


def _edit_processes(soak: Soak, dice: random.Random) -> bool:
    with soak.rows, soak.excuse(RECOVERY_S, {"transfer-stock"}):
        count = dice.choice([number for number in (1, 2, 3, 4) if number != soak.wanted["transfer-stock"]])
        soak.edit("transfer-stock", processes=count)
        soak.wanted["transfer-stock"] = count
    return True


def _edit_arguments(soak: Soak, dice: random.Random) -> bool:
    with soak.excuse(RECOVERY_S, {"price-feed"}):
        soak.edit("price-feed", kwargs={"pause": round(dice.uniform(0.3, 0.7), 3)})
    return True


def _disable(soak: Soak, dice: random.Random) -> bool:
    with soak.excuse(RECOVERY_S, {"place-orders"}):
        soak.edit("place-orders", enabled=False)
        time.sleep(dice.uniform(0.5, 2))
        soak.edit("place-orders", enabled=True)
    return True


def _import(module: str) -> Fault:
    def break_it(soak: Soak, dice: random.Random) -> bool:
        name = f"import-{dice.randrange(10**9)}"
        target = f"tests.process.faults.{module}.run"
        since = soak.daemon.log.position
        soak.write(lambda: soak.project.add_job(name, target=target, start_timeout=1.5, stop_timeout=0.5))
        try:
            end = soak.daemon.wait_event("child.exited", since=since, job=name, within=30)
        finally:
            soak.write(soak.project.jobs.filter(name=name).delete)
        return bool(end["outcome"] == ("hung" if module == "hanging_module" else "crashed"))

    return break_it


ROWS: dict[str, Fault] = {
    "row: processes": _edit_processes,
    "row: arguments": _edit_arguments,
    "row: disabled and enabled": _disable,
    "row: an import that hangs": _import("hanging_module"),
    "row: an import that crashes": _import("crashing_module"),
}

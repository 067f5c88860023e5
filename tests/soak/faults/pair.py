"""Two faults within a second: one after the other, before the daemon is done with the first."""

import random
import threading
import time
from collections.abc import Mapping

from django.db import connections

from tests.soak.runner import Soak

from .fault import Fault

WITHIN_S = 1.0


def pairs(faults: Mapping[str, Fault]) -> dict[str, Fault]:
    """Return a fault for each: it, and another one of them."""
    return {f"two at once: {name}": _pair(name, faults) for name in faults}


def _pair(name: str, faults: Mapping[str, Fault]) -> Fault:
    def both(soak: Soak, dice: random.Random) -> bool:
        other = dice.choice(sorted(set(faults) - {name}))
        second = Second(soak, faults[other], dice.uniform(0.0, WITHIN_S), random.Random(dice.random()))
        second.start()
        try:
            first = faults[name](soak, dice)
        finally:
            second.join()
        if second.error:
            raise second.error
        return first and second.done

    return both


class Second(threading.Thread):
    """The second fault, in a thread of its own."""

    def __init__(self, soak: Soak, fault: Fault, delay_s: float, dice: random.Random) -> None:
        super().__init__(daemon=True)
        self._soak, self._fault, self._delay_s, self._dice = soak, fault, delay_s, dice
        self.done = False
        self.error: Exception | None = None

    def run(self) -> None:
        """Make it a moment later, and close what the thread has opened."""
        time.sleep(self._delay_s)
        try:
            self.done = self._fault(self._soak, self._dice)
        except Exception as error:  # noqa: BLE001 - the first one's thread raises it
            self.error = error
        finally:
            connections.close_all()

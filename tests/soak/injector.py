"""Makes one fault after another: every kind once a round, each round in a random order."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping

from tests.harness.waiting import TooLateError

from .faults.fault import BrokenError, Fault
from .runner import Soak

NEVER: Callable[[], bool] = lambda: False  # noqa: E731 - a default


class Injector:
    """Has a dice, a pause between two faults, and the count of those done; several may work side by side."""

    def __init__(self, soak: Soak, faults: Mapping[str, Fault], dice: random.Random, pause_s: tuple[float, float]):
        self._soak = soak
        self._faults = faults
        self._dice = dice
        self._pause_s = pause_s
        self.now = ""
        """The fault that is being made, or was made last."""
        self.done: Counter[str] = Counter(dict.fromkeys(faults, 0))
        self.errors: list[str] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self.run, daemon=True)

    def begin(self) -> None:
        """Go on until ``end``, in a thread."""
        self._thread.start()

    def has_done(self, at_least: int) -> bool:
        """Return whether each kind had so many turns."""
        return min(self.done.values(), default=at_least) >= at_least

    def end(self) -> None:
        """End after the fault that is being made."""
        self._over.set()
        self._thread.join()

    def run(self, is_over: Callable[[], bool] = NEVER) -> None:
        """Do one fault after another."""
        for name in self._plan():
            if self._over.wait(self._dice.uniform(*self._pause_s)) or is_over():
                return
            began, self.now = time.monotonic(), name
            done = self._make(name)
            self.done[name] += done
            took = time.monotonic() - began
            print(f"{time.strftime('%T')} {name}: {'done' if done else 'not done'} in {took:.1f} s", flush=True)

    def _make(self, name: str) -> bool:
        """Make a fault. One whose effect others keep from coming in time is not done, and has its turn again.

        So is one that fails as the daemon was killed meanwhile.
        """
        life = self._soak.lives
        try:
            return self._faults[name](self._soak, random.Random(self._dice.random()))
        except TooLateError:
            return False
        except Exception as error:  # noqa: BLE001 - said in the figures; the soak goes on
            if isinstance(error, BrokenError) or (life % 2 == 0 and life == self._soak.lives):
                self.errors.append(f"{time.strftime('%T')} {name}: {type(error).__name__}: {error}"[:300])
            return False

    def _plan(self) -> Iterator[str]:
        """Yield every kind once a round, and those that were never done twice: they need luck."""
        while self._faults:
            yield from self._shuffle(self._faults)
            yield from self._shuffle(name for name, count in self.done.items() if not count)

    def _shuffle(self, names: Iterable[str]) -> list[str]:
        return self._dice.sample(found := sorted(names), len(found))

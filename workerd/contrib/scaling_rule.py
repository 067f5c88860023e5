"""How many processes a queue is to have: up at once, down one at a time after a calm, unchanged where nobody knows."""

from dataclasses import dataclass

MOST = 1000
"""No row may have more."""


@dataclass(frozen=True, slots=True)
class Depth:
    """What is in a queue: tasks that wait for a process, and those in hand, None where the engine cannot tell."""

    waiting: int
    in_hand: int | None = None

    def __str__(self) -> str:
        tasks = "1 task waits" if self.waiting == 1 else f"{self.waiting} tasks wait"
        return tasks if self.in_hand is None else f"{tasks}, {self.in_hand} in hand"


@dataclass(frozen=True, slots=True)
class Limits:
    """What the scaler's row says. Raises ValueError for what makes no sense."""

    least: int
    most: int
    per_process: int
    calm_s: float

    def __post_init__(self) -> None:
        if not 0 <= self.least <= self.most <= MOST:
            raise ValueError(f"least is {self.least} and most is {self.most}: let 0 ≤ least ≤ most ≤ {MOST} be")
        if self.per_process < 1:
            raise ValueError(f"per_process is {self.per_process}: let it be 1 or more")
        if not self.calm_s >= 0:
            raise ValueError(f"calm is {self.calm_s}: let it be 0 or more seconds")

    def needed(self, waiting: int) -> int:
        """Return how many processes so many tasks ask for."""
        return max(self.least, min(self.most, -(-waiting // self.per_process)))


@dataclass(frozen=True, slots=True)
class Step:
    """The number of processes from now on, and since when fewer would have done, None where they would not."""

    processes: int
    calm_since: float | None = None


def next_step(limits: Limits, depth: Depth | None, processes: int, now: float, calm_since: float | None) -> Step:
    """Return what follows from a count; ``depth`` is None where it failed, which ends a calm.

    As many tasks in hand as processes, or more, are no calm: whichever process was stopped would have one.
    """
    if depth is None:
        return Step(processes)
    needed = limits.needed(depth.waiting)
    if needed > processes:
        return Step(needed)
    if needed == processes or (depth.in_hand or 0) >= processes:
        return Step(processes)
    if calm_since is None:
        calm_since = now
    return Step(processes, calm_since) if now - calm_since < limits.calm_s else Step(processes - 1, now)

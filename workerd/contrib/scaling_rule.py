"""The rule of a scaler: up at once, to what the tasks ask for, and down by one process after a calm. Pure."""

from dataclasses import dataclass

MOST = 1000
"""No row may have more."""


@dataclass(frozen=True, slots=True)
class Depth:
    """The tasks of a queue that wait for a process, and those in hand, None where the engine cannot tell."""

    waiting: int
    in_hand: int | None = None

    def __str__(self) -> str:
        tasks = "1 task waits" if self.waiting == 1 else f"{self.waiting} tasks wait"
        return tasks if self.in_hand is None else f"{tasks}, {self.in_hand} in hand"


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits that a scaler's row sets. Raises ValueError for those that make no sense."""

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


def next_step(limits: Limits, depth: Depth, processes: int, now: float, calm_since: float | None) -> Step:
    """Return what follows from a count; a count that fails has no step.

    As many tasks in hand as processes, or more, are no calm: whichever process was stopped would have one.
    """
    needed = limits.needed(depth.waiting)
    if needed > processes:
        return Step(needed)
    if needed == processes or (depth.in_hand or 0) >= processes:
        return Step(processes)
    if calm_since is None:
        calm_since = now
    return Step(processes, calm_since) if now - calm_since < limits.calm_s else Step(processes - 1, now)

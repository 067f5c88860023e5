"""The memory that a run has of its own, its helper processes included, as /proc tells it."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from math import inf
from os import listdir

from workerd.daemon.io.files import read_text

FAMILY = 256
"""The most helper processes that are counted."""
PRIVATE, SHARED = ("\nRssAnon:", "\nVmSwap:"), ("\nRssShmem:",)
STATUS_BYTES = 8192
NUMBER = 24
"""The characters after a name in which its number stands."""


@dataclass(eq=False, repr=False, slots=True)
class MemoryGrowth:
    """The MiB that a run has of its own beyond what its child had at its birth; None for what is not known."""

    seen: float | None = None
    """At the last look; None before the first."""
    peak: float | None = None
    due: float = 0.0
    """When to look again, by the monotonic clock."""
    looked_at: float = -inf
    """When somebody last looked with its helpers, by the monotonic clock."""
    private_at_birth: float | None = None
    shared_at_birth: float | None = None
    resident_at_birth: float | None = None

    def set_baseline(self, pid: int) -> None:
        """Measure growth from now on: the child has its licence, and has done nothing yet."""
        self.private_at_birth, self.resident_at_birth = private_mib(pid), resident_mib(pid)
        self.shared_at_birth = shared_mib(pid)

    def begin_with_nothing(self) -> None:
        """Count all memory as growth: the child is a program of its own, which shares none with a forkserver."""
        self.private_at_birth = self.resident_at_birth = self.shared_at_birth = 0.0

    def look(self, pid: int) -> float | None:
        """Return the growth of now, in MiB; None where the child's own memory cannot be read."""
        own = private_mib(pid)
        if own is None or self.private_at_birth is None:
            self.seen = None
            return None
        self.seen = max(0.0, own - self.private_at_birth) + self._shared_growth(pid) + helpers_mib(pid, own)
        self._reach(self.seen)
        return self.seen

    def look_alone(self, pid: int) -> None:
        """Look at the child's own process, without its helpers, in one read: for samples, which no limit judges."""
        has = _sum(pid, (*PRIVATE, *SHARED))
        if has is None or self.private_at_birth is None:
            self.seen = None
            return
        self.seen = max(0.0, has - self.private_at_birth - (self.shared_at_birth or 0.0))
        self._reach(self.seen)

    def _shared_growth(self, pid: int) -> float:
        """Return the shared memory that the child has taken since its birth; what its helpers use of it counts once."""
        now, before = shared_mib(pid), self.shared_at_birth
        return max(0.0, now - before) if now is not None and before is not None else 0.0

    def end(self, peak_rss: float) -> None:
        """Take the kernel's word for the peak, which covers what no look at the child has seen."""
        if self.resident_at_birth is not None:
            self._reach(peak_rss - self.resident_at_birth)

    def _reach(self, growth: float) -> None:
        if growth > 0.0:
            self.peak = max(self.peak or 0.0, growth)


def private_mib(pid: int) -> float | None:
    """Return anonymous memory in RAM and in swap, in MiB; None where /proc does not tell.

    Not RSS, which counts what is shared with the forkserver, and not USS, which jumps when the forkserver ends.
    """
    return _sum(pid, PRIVATE)


def shared_mib(pid: int) -> float | None:
    """Return the shared segments that a process uses (/dev/shm, anonymous maps), in MiB; None where /proc is mute."""
    return _sum(pid, SHARED)


def resident_mib(pid: int) -> float | None:
    """Return all memory in RAM, in MiB, what is shared too; None where /proc does not tell."""
    return _sum(pid, ("\nVmRSS:",))


def helpers_mib(pid: int, own: float) -> float:
    """Return what the processes that descend from a child have of their own, in MiB, as far as /proc tells.

    One that was only forked shares its parent's memory: it counts with what it has beyond that.
    """
    total, parents = 0.0, {pid: own}
    for parent, helper in _descendants(pid):
        has = private_mib(helper)
        if has is not None:
            parents[helper] = has
            total += max(0.0, has - parents.get(parent, 0.0)) if _same_program(parent, helper) else has
    return total


def _descendants(pid: int) -> Iterator[tuple[int, int]]:
    """Yield each descendant with its parent, parents first."""
    parents = [pid]
    for parent in parents:
        for child in _children(parent):
            if len(parents) > FAMILY:
                return
            parents.append(child)
            yield parent, child


def _children(pid: int) -> Iterator[int]:
    try:
        for thread in listdir(f"/proc/{pid}/task"):
            yield from map(int, read_text(f"/proc/{pid}/task/{thread}/children").split())
    except (OSError, ValueError):
        return  # it has ended meanwhile, or another user's processes are hidden


def _same_program(pid: int, other: int) -> bool:
    """Return whether one is a fork of the other: its arguments are at the same place. If /proc hides it, it may be."""
    places = {_place_of_arguments(pid), _place_of_arguments(other)}
    return len(places) == 1 or "0" in places


def _place_of_arguments(pid: int) -> str:
    try:
        return read_text(f"/proc/{pid}/stat").rpartition(")")[2].split()[45]
    except (OSError, IndexError):
        return "0"


def _sum(pid: int, names: tuple[str, ...]) -> float | None:
    """Return what these lines of /proc/PID/status come to, in MiB; None where none of them is there."""
    try:
        text = _read(f"/proc/{pid}/status")
    except OSError:
        return None
    places = [(text.find(name), len(name)) for name in names]
    found = [int(text[at + size : at + size + NUMBER].split()[0]) for at, size in places if at >= 0]
    return sum(found) / 1024 if found else None


def _read(path: str) -> str:
    """Return a file of /proc that is short: the daemon reads thousands of them, and ``open`` takes twice the time."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, STATUS_BYTES).decode("ascii", "replace")
    finally:
        os.close(descriptor)

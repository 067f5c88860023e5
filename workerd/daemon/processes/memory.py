"""The memory that a child has of its own, as /proc/PID/status tells it."""

from dataclasses import dataclass

from workerd.daemon.io.files import read_text


@dataclass(eq=False, repr=False, slots=True)
class MemoryGrowth:
    """The MiB that a child has of its own beyond what it had at its birth."""

    seen: float | None = None
    """At the last look; None before the first."""
    peak: float | None = None
    due: float = 0.0
    """When to look again, by the monotonic clock."""
    private_at_birth: float = 0.0
    resident_at_birth: float = 0.0

    def set_baseline(self, pid: int) -> None:
        """Measure growth from now on: the child has its licence, and has done nothing yet."""
        self.private_at_birth, self.resident_at_birth = private_mib(pid), resident_mib(pid)

    def look(self, pid: int) -> float:
        """Return the growth of now, in MiB."""
        self.seen = max(0.0, private_mib(pid) - self.private_at_birth)
        self.peak = max(self.peak or 0.0, self.seen)
        return self.seen

    def end(self, peak_rss: float) -> None:
        """Take the kernel's word for the peak, which covers what no look at the child has seen."""
        if self.resident_at_birth:
            self.peak = max(self.peak or 0.0, peak_rss - self.resident_at_birth)


def private_mib(pid: int) -> float:
    """Return anonymous memory in RAM and in swap, in MiB; 0 where the process has just ended.

    Not RSS, which counts what is shared with the forkserver, and not USS, which jumps when the forkserver ends.
    """
    return _sum(pid, ("RssAnon:", "VmSwap:"))


def resident_mib(pid: int) -> float:
    """Return all memory in RAM, in MiB, what is shared too; 0 where the process has just ended."""
    return _sum(pid, ("VmRSS:",))


def _sum(pid: int, names: tuple[str, ...]) -> float:
    try:
        text = read_text(f"/proc/{pid}/status")
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in text.splitlines() if line.startswith(names)) / 1024

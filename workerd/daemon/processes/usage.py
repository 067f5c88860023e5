"""Measures a child by two short reads in /proc, and by a third one where its memory may have changed."""

import os
import resource
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple

from workerd.daemon.rules.clock import Clock
from workerd.daemon.rules.sampling import share
from workerd.wire.samples import Sample

from .memory import MemoryGrowth

TICK_S = 1 / os.sysconf("SC_CLK_TCK")
READ_BYTES = 2048
MOST_OPEN = resource.getrlimit(resource.RLIMIT_NOFILE)[1] // 2
"""From this descriptor on none is kept open: births need them more. The daemon raises its limit to the hard one."""


class Stat(NamedTuple):
    """Of /proc/PID/stat what samples need. ``processor_s`` has that of the ended processes that it has waited for."""

    is_zombie: bool
    processor_s: float
    threads: int
    moved: tuple[bytes, ...]
    """Page faults and sizes: as long as these are the same, the process has no more memory than before."""


@dataclass(eq=False, repr=False, slots=True)
class Usage:
    """The last sample's figures of one run, by which the next sample is cheap. Times are monotonic seconds."""

    processor_s: float = 0.0
    """The processor time of the run so far."""
    descriptors: int | None = None
    threads: int | None = None
    sampled_at: float = 0.0
    """The last sample's time, or the run's begin."""
    has_begun: bool = False
    """Whether there was a sample."""
    moved: tuple[bytes, ...] = ()
    _file: "StatFile" = field(init=False)

    def __post_init__(self) -> None:
        self._file = StatFile()

    def close(self) -> None:
        """Close what is open: the process is gone."""
        self._file.close()

    def begin(self, now: float) -> None:
        """Count processor time from now on."""
        self.sampled_at = now

    def sample(
        self, pid: int, growth: MemoryGrowth, clock: Clock, silence: float | None, *, is_judged: bool
    ) -> Sample | None:
        """Return the sample of now; None where the process has just ended.

        Where the watchdog judges its memory, what that has seen counts, and else what its own process has.
        """
        found = read_stat(pid, self._file)
        if found is not None and found.is_zombie:
            return None
        self.descriptors = count_descriptors(pid)
        memory, processor = None, None
        if found is not None:
            now = clock.monotonic()
            processor = share(found.processor_s - self.processor_s, now - self.sampled_at)
            self.processor_s, self.threads, self.sampled_at = found.processor_s, found.threads, now
            if found.moved != self.moved and not (is_judged and growth.seen is not None):
                growth.look_alone(pid)
                self.moved = found.moved
            memory = None if growth.seen is None else round(growth.seen * 1024)
        is_first, self.has_begun = not self.has_begun, True
        threads = self.threads if found is not None else None
        return Sample(int(clock.wall()), memory, processor, silence, self.descriptors, threads, is_first)


class StatFile:
    """The file /proc/PID/stat of one process: to open and close it takes as long as to read it, so it is kept open."""

    def __init__(self) -> None:
        self._descriptor = -1

    def read(self, pid: int) -> bytes:
        """Return what it has now. Raises OSError where the process is gone, or hidden."""
        if self._descriptor >= 0:
            return os.pread(self._descriptor, READ_BYTES, 0)
        descriptor = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
        try:
            text = os.read(descriptor, READ_BYTES)
            if descriptor < MOST_OPEN:
                self._descriptor, descriptor = descriptor, -1
            return text
        finally:
            if descriptor >= 0:
                os.close(descriptor)

    def close(self) -> None:
        """Close; harmless a second time."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def read_stat(pid: int, file: StatFile) -> Stat | None:
    """Return what samples need of /proc/PID/stat; None where the process is gone, or hidden."""
    try:
        fields = file.read(pid).rpartition(b")")[2].split()
        ticks = int(fields[11]) + int(fields[12]) + int(fields[13]) + int(fields[14])
        moved = (fields[7], fields[9], fields[20], fields[21])  # minor and major faults, virtual size, resident set
        return Stat(fields[0] in b"ZX", ticks * TICK_S, int(fields[17]), moved)
    except (OSError, ValueError, IndexError):
        return None


def count_descriptors(pid: int) -> int | None:
    """Return how many descriptors a process has open; None where that is not to be seen."""
    with suppress(OSError):
        return os.stat(f"/proc/{pid}/fd").st_size or len(os.listdir(f"/proc/{pid}/fd"))  # the size: from Linux 6.2 on
    return None

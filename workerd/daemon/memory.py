"""How much memory a child has of its own: what /proc/PID/status says of it."""

from pathlib import Path


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
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in text.splitlines() if line.startswith(names)) / 1024

"""Reads in /proc what keeps a process from ending although SIGKILL was sent to it."""

from workerd.daemon.io.files import read_text

_STATES = {"D": "in state D: it waits in the kernel, most likely for a disk or a network file system"}


def describe_hold(pid: int) -> str:
    """Return what holds a process."""
    try:
        status = dict(line.split(":", 1) for line in read_text(f"/proc/{pid}/status").splitlines() if ":" in line)
    except OSError:
        return "its state cannot be read"
    debugger = status.get("TracerPid", "0").strip()
    if debugger != "0":
        return f"held by a debugger (pid {debugger})"
    if _is_frozen(pid):
        return "frozen by its cgroup"
    letter = status.get("State", "?").strip()[:1]
    return _STATES.get(letter, f"in state {letter}")


def _is_frozen(pid: int) -> bool:
    """Return whether the kernel holds the process in the freezer: of the first version of cgroups, or for a suspend."""
    try:
        return "refrigerator" in read_text(f"/proc/{pid}/wchan")
    except OSError:
        return False

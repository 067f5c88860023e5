"""Why a process is still there although SIGKILL was sent to it: what the kernel shows of it in /proc."""

from workerd.daemon.io.files import read_text

_STATES = {"D": "in state D: it waits in the kernel, most likely for a disk or a network file system"}


def why_still_there(pid: int) -> str:
    """Return what holds the process; what cannot be read is left out."""
    try:
        status = dict(line.split(":", 1) for line in read_text(f"/proc/{pid}/status").splitlines() if ":" in line)
    except OSError:
        return "its state cannot be read"
    tracer = status.get("TracerPid", "0").strip()
    if tracer != "0":
        return f"held by a debugger (pid {tracer})"
    if _is_frozen(pid):
        return "frozen by its cgroup"
    state = status.get("State", "?").split()[0]
    return _STATES.get(state, f"in state {state}")


def _is_frozen(pid: int) -> bool:
    """Return whether the kernel holds the process in the freezer: of the first version of cgroups, or for a suspend."""
    try:
        return "refrigerator" in read_text(f"/proc/{pid}/wchan")
    except OSError:
        return False

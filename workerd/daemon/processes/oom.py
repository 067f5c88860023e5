"""Tells whether the kernel has killed a process for want of memory, by the counter of the daemon's cgroup, if any."""

from workerd.daemon.io.files import StrPath, read_text

ROOT = "/sys/fs/cgroup"


class OomCounter:
    """``oom_kill`` of the daemon's own cgroup, version 1 or 2; what a limit further out kills counts there, unseen."""

    def __init__(self, membership: StrPath = "/proc/self/cgroup", root: StrPath = ROOT) -> None:
        self._file = _find(membership, root)
        self._seen = self._read()

    def has_risen(self) -> bool:
        """Return whether a process of the cgroup was killed since the last question."""
        before, self._seen = self._seen, self._read()
        return self._seen > before

    def _read(self) -> int:
        try:
            lines = read_text(self._file).splitlines() if self._file is not None else []
        except OSError:
            return 0
        return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)


def _find(membership: StrPath, root: StrPath) -> str | None:
    try:
        lines = read_text(membership).splitlines()
    except OSError:
        return None
    paths = {controllers: path.lstrip("/") for _, controllers, path in (line.split(":", 2) for line in lines)}
    if "memory" in paths:  # version 1 has the controller: what version 2 has beside it counts nothing
        return f"{root}/memory/{paths['memory']}/memory.oom_control"
    return f"{root}/{paths['']}/memory.events" if "" in paths else None

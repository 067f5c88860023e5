"""The cgroup of the daemon and all that it starts, whose count of processes the soak can limit."""

import os
import time
from contextlib import suppress
from pathlib import Path

FOLDERS = (Path("/sys/fs/cgroup/pids"), Path("/sys/fs/cgroup"))
"""Where the controller is: in the first version of cgroups, and in the second."""
EMPTY_WITHIN_S = 5.0


class Group:
    """A cgroup of its own, where one can be made; root alone can, and in most containers nobody."""

    def __init__(self) -> None:
        self._folder = next((made for folder in FOLDERS if (made := _make(folder))), None)

    @property
    def works(self) -> bool:
        """Return whether there is a cgroup."""
        return self._folder is not None

    def take_in(self, pid: int) -> None:
        """Have the process, and what it will start, belong to the group."""
        if self._folder:
            (self._folder / "cgroup.procs").write_text(str(pid))

    def limit(self, more: int) -> None:
        """Allow ``more`` processes and threads than there are now."""
        if self._folder:
            now = int((self._folder / "pids.current").read_text())
            (self._folder / "pids.max").write_text(str(now + more))

    def unlimit(self) -> None:
        """Allow any number."""
        if self._folder:
            (self._folder / "pids.max").write_text("max")

    def close(self) -> None:
        """Remove it, once its processes have ended."""
        deadline = time.monotonic() + EMPTY_WITHIN_S
        while self._folder and self._folder.exists() and time.monotonic() < deadline:
            with suppress(OSError):
                self._folder.rmdir()
            time.sleep(0.05)


def _make(parent: Path) -> Path | None:
    folder = parent / f"workerd-soak-{os.getpid()}"
    try:
        folder.mkdir()
    except OSError:
        return None
    if (folder / "pids.max").exists():
        return folder
    folder.rmdir()
    return None

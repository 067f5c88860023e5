"""A cgroup whose processes stop all at once, whatever they are doing, and go on when it is thawed."""

import os
from contextlib import suppress
from pathlib import Path

from tests.harness.waiting import eventually

WITHIN_S = 10.0


def find_root() -> Path | None:
    """Return the folder of a hierarchy with a freezer that this process may use, or None."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    for _, where, kind, options, *_ in mounts:
        has_one = kind == "cgroup2" or (kind == "cgroup" and "freezer" in options.split(","))
        if has_one and os.access(where, os.W_OK):
            return Path(where)
    return None


class Freezer:
    """One cgroup, of version 1 or 2. ``close`` takes it away, once it is empty."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._folder = root / f"workerd-{os.getpid()}"
        self._folder.mkdir()
        self._is_first = (self._folder / "freezer.state").exists()

    def freeze(self, pids: list[int]) -> None:
        """Take these processes, and what they start, and return when all stand still."""
        for pid in pids:
            self._write(self._folder, pid)
        if self._is_first:
            (self._folder / "freezer.state").write_text("FROZEN")
            eventually(lambda: self._read("freezer.state") == "FROZEN", WITHIN_S, "the frost")
        else:
            (self._folder / "cgroup.freeze").write_text("1")
            eventually(lambda: "frozen 1" in self._read("cgroup.events"), WITHIN_S, "the frost")

    def thaw(self) -> None:
        """Let all go on."""
        name, word = ("freezer.state", "THAWED") if self._is_first else ("cgroup.freeze", "0")
        (self._folder / name).write_text(word)

    def let_go(self, pid: int) -> None:
        """Let one process go on, before all others."""
        self._write(self._root, pid)

    def close(self) -> None:
        """Give its processes back to the root, and take the cgroup away."""
        self.thaw()
        for pid in self._read("cgroup.procs").split():
            self._write(self._root, int(pid))
        self._folder.rmdir()

    def _read(self, name: str) -> str:
        return (self._folder / name).read_text().strip()

    @staticmethod
    def _write(folder: Path, pid: int) -> None:
        with suppress(ProcessLookupError):  # it has ended meanwhile
            (folder / "cgroup.procs").write_text(str(pid))

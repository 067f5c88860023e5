"""Processes as /proc shows them: parents and children, marks in the environment, zombies."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .waiting import eventually


@dataclass(frozen=True)
class Process:
    """One process; the start time tells it from a later one of the same pid."""

    pid: int
    parent: int
    state: str
    name: str
    started: int

    @classmethod
    def look(cls, pid: int) -> "Process | None":
        """Return the process of that pid, or None."""
        try:
            text = Path(f"/proc/{pid}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return None
        head, _, tail = text.rpartition(")")
        fields = tail.split()
        return cls(pid, int(fields[1]), fields[0], head.partition("(")[2], int(fields[19]))

    @property
    def is_zombie(self) -> bool:
        return self.state == "Z"

    def identity(self) -> "Process":
        """Return the process without what changes in its life."""
        return Process(self.pid, 0, "", self.name, self.started)

    def command_line(self) -> str:
        try:
            return Path(f"/proc/{self.pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        except (FileNotFoundError, ProcessLookupError):
            return ""

    def descriptors(self) -> dict[int, str]:
        """What each of its descriptors is."""
        folder = f"/proc/{self.pid}/fd"
        found = {}
        for number in os.listdir(folder):  # noqa: PTH208 - a descriptor may be gone by the time it is looked at
            try:
                found[int(number)] = os.readlink(f"{folder}/{number}")  # noqa: PTH115 - as above
            except FileNotFoundError:
                continue
        return found


class ProcessTree:
    """Every process of a daemon and its children that was ever seen.

    A process is found by its descent from the daemon or by the mark in its environment. What was once seen is
    remembered, so that an orphan with a wiped environment is found as well.
    """

    def __init__(self, mark: str) -> None:
        self.mark = mark.encode()
        self._seen: set[Process] = set()

    def look(self, root: int | None = None) -> set[Process]:
        """Return the processes that are there now, zombies too, and remember them."""
        processes = [process for pid in _pids() if (process := Process.look(pid))]
        family = {root} if root else set()
        while more := {process.pid for process in processes if process.parent in family} - family:
            family |= more
        found = {process for process in processes if process.pid in family or self._is_marked(process.pid)}
        self._seen |= {process.identity() for process in found}
        return found

    def remember(self, pids: Iterable[int]) -> None:
        """Remember processes by their pids, for instance from the log, unless the pid is another process's by now."""
        there = [process for pid in pids if (process := Process.look(pid))]
        ours = [process for process in there if process.is_zombie or self._is_marked(process.pid)]
        self._seen |= {process.identity() for process in ours}

    def survivors(self) -> list[Process]:
        """Return the processes ever seen, or marked, that are still there.

        A zombie whose parent is not of the tree has ended: the process that adopted it has to reap it.
        """
        self.look()
        family = {seen.pid for seen in self._seen}
        there = [now for seen in self._seen if (now := Process.look(seen.pid)) and now.started == seen.started]
        left = [process for process in there if not process.is_zombie or process.parent in family]
        return sorted(left, key=lambda process: process.pid)

    def assert_gone(self, within: float = 10.0) -> None:
        """Assert that no process is left."""

        def none_is_left() -> None:
            left = self._describe_survivors()
            assert not left, left

        eventually(none_is_left, within, "the end of every process of the tree")

    def kill(self) -> None:
        """Kill every process that is left, to clean up after a test that failed."""
        for survivor in self.survivors():
            try:
                os.kill(survivor.pid, 9)
            except ProcessLookupError:
                continue

    def _describe_survivors(self) -> list[str]:
        return [
            f"{left.pid} {left.name} ({left.state}, child of {left.parent}) {left.command_line()}"
            for left in self.survivors()
        ]

    def _is_marked(self, pid: int) -> bool:
        try:
            return self.mark in Path(f"/proc/{pid}/environ").read_bytes()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            return False


def _pids() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal()]

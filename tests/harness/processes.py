"""Processes as /proc shows them: who descends from whom, who carries a mark, who is a zombie."""

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
    """Every process that a daemon brought into the world, as far as anybody has seen it.

    Found by descent from the daemon and by the mark in the environment; whoever was once seen is remembered, so that an
    orphan with a wiped environment is found as well.
    """

    def __init__(self, mark: str) -> None:
        self.mark = mark.encode()
        self._seen: set[Process] = set()

    def look(self, root: int | None = None) -> set[Process]:
        """Return those that are there now, zombies too, and remember them."""
        everybody = [process for pid in _pids() if (process := Process.look(pid))]
        family = {root} if root else set()
        while more := {one.pid for one in everybody if one.parent in family} - family:
            family |= more
        found = {one for one in everybody if one.pid in family or self._is_marked(one.pid)}
        self._seen |= {Process(one.pid, 0, "", one.name, one.started) for one in found}
        return found

    def remember(self, pids: Iterable[int]) -> None:
        """Remember processes by their pids, such as the log names, where the number is not another's by now."""
        there = [one for pid in pids if (one := Process.look(pid))]
        ours = [one for one in there if one.is_zombie or self._is_marked(one.pid)]
        self._seen |= {Process(one.pid, 0, "", one.name, one.started) for one in ours}

    def survivors(self) -> list[Process]:
        """Those ever seen, or marked, that are still there.

        A zombie whose parent is not of the tree has ended: to reap it is the business of whoever adopted it.
        """
        self.look()
        family = {one.pid for one in self._seen}
        there = [now for one in self._seen if (now := Process.look(one.pid)) and now.started == one.started]
        return sorted((one for one in there if not one.is_zombie or one.parent in family), key=lambda one: one.pid)

    def assert_gone(self, within: float = 1.0) -> None:
        """Nobody is left."""

        def nobody_is_left() -> None:
            left = self._describe_survivors()
            assert not left, left

        eventually(nobody_is_left, within, "the end of every process of the tree")

    def kill(self) -> None:
        """Kill whoever is left: for the clean-up after a test that failed."""
        for one in self.survivors():
            try:
                os.kill(one.pid, 9)
            except ProcessLookupError:
                continue

    def _describe_survivors(self) -> list[str]:
        return [
            f"{one.pid} {one.name} ({one.state}, child of {one.parent}) {one.command_line()}"
            for one in self.survivors()
        ]

    def _is_marked(self, pid: int) -> bool:
        try:
            return self.mark in Path(f"/proc/{pid}/environ").read_bytes()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            return False


def _pids() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal()]

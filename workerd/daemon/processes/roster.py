"""The roster notes, in a file of STATE_DIR, which process got which run: the next daemon finds them by it.

A process that has changed its user may outlive a daemon that is killed, and may not show its marks to the next one.
"""

import os
from collections.abc import Iterable
from typing import NamedTuple

from workerd.daemon.io.files import StrPath, folder_id, read_text
from workerd.wire.machine import boot_id

from .proc import look

KEPT_LINES = 1000
"""More lines than this, and than twice the runs that live, are written anew without those of ended runs."""


class Entry(NamedTuple):
    """A run's process, and the slot that it was for."""

    pid: int
    started: int
    run: str
    slot_index: int
    job: str

    def line(self) -> str:
        """Return the entry as a line of the file."""
        return f"{self.pid} {self.started} {self.run} {self.slot_index} {self.job}\n"


class Roster:
    """The file NAME.processes. That it cannot be written costs no more than what it is for."""

    def __init__(self, state_dir: StrPath, name: str) -> None:
        self._path = os.path.join(state_dir, f"{name}.processes")
        self._living: dict[int, Entry] = {}
        self._lines = 0

    def read(self) -> list[Entry]:
        """Return what an earlier daemon has written since the machine was started; its broken lines are passed over.

        What a copy of STATE_DIR tells are the processes of another daemon, which may run.
        """
        try:
            head, *lines = read_text(self._path).splitlines()
            here = {self._head(), boot_id()}  # the release before did not write down the folder
        except (OSError, ValueError):
            return []
        return [entry for line in lines if (entry := _parse(line))] if head in here else []

    def add(self, pid: int, run: str, job: str, index: int) -> None:
        """Note a process that has just got its run."""
        if (seen := look(pid)) is None:
            return
        self._living[pid] = entry = Entry(pid, seen.started, run, index, job)
        if self._lines > max(KEPT_LINES, 2 * len(self._living)) or not self._append(entry):
            self.rewrite()

    def forget(self, pid: int) -> None:
        """Forget a process that was reaped."""
        self._living.pop(pid, None)

    def rewrite(self, kept: Iterable[Entry] = ()) -> None:
        """Write the file anew, with who lives and who of an earlier daemon is still there."""
        entries = [*kept, *self._living.values()]
        fresh = f"{self._path}.new"
        try:
            with open(fresh, "w", opener=_private) as file:
                file.write(f"{self._head()}\n{''.join(entry.line() for entry in entries)}")
            os.replace(fresh, self._path)
        except OSError:
            return  # a full disk, for one: each later process tries it again
        self._lines = len(entries)

    def _head(self) -> str:
        return f"{boot_id()} {folder_id(os.path.dirname(self._path))}"

    def _append(self, entry: Entry) -> bool:
        try:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            return False
        try:
            line = entry.line().encode()
            self._lines += 1
            return os.write(descriptor, line) == len(line)
        except OSError:
            return False
        finally:
            os.close(descriptor)


def _parse(line: str) -> Entry | None:
    try:
        pid, started, run, index, job = line.split(" ", 4)
        return Entry(int(pid), int(started), run, int(index), job)
    except ValueError:
        return None


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)

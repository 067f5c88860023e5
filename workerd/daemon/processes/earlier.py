"""Ends what an earlier daemon of this tree has left, before anything is started; a slot waits for what does not end.

The marks in the environments tell of such processes, and so does the roster, which the earlier daemon has kept.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from workerd.daemon.io.listeners import Listeners
from workerd.daemon.io.log import EventLog
from workerd.daemon.io.loop import Loop
from workerd.wire.reasons import Reason

from .endings import Endings, Leftover
from .hold import describe_hold
from .proc import FORKSERVER_RUN, all_pids, is_trusted, look, run_of
from .roster import Entry, Roster


class EarlierProcesses:
    """Ends them; whoever cannot be ended keeps only those slots waiting that do the same work."""

    def __init__(self, loop: Loop, log: EventLog, tree: str, roster: Roster) -> None:
        self._loop = loop
        self._log = log
        self._tree = tree
        self._roster = roster
        self._endings = Endings(loop, log)
        self._entries: dict[int, Entry] = {}
        """Of those that are left, whose run is known."""
        self._feared: set[int] = set()
        """Of those that are left, who may do the work of any job."""
        self._then: Callable[[], None] | None = None
        self.on_gone: Listeners[[]] = Listeners()
        """Told when one of them has ended that slots may have waited for."""

    def end(self, then: Callable[[], None]) -> None:
        """End what is there; call ``then`` when nothing is left, or nothing but what cannot be ended."""
        self._then = then
        self._find()
        if self._endings.left:
            self._log.emit("leftovers.ended", pids=sorted(self._endings.left))
        self._look()

    def stuck(self) -> Iterator[Leftover]:
        """Yield those that cannot be ended."""
        return self._endings.stuck()

    def delay(self) -> str:
        """Return what the first forkserver waits for, "" if for nothing."""
        return _sentence(next(iter(self._endings.left.values()), None)) if self._then is not None else ""

    def obstacle(self, job: str, index: int) -> str:
        """Return what a slot waits for, as it may do the slot's work a second time; "" if there is nothing."""
        colliding = (left for left in self._endings.left.values() if self._collides(left.pid, job, index))
        return _sentence(next(colliding, None))

    def _collides(self, pid: int, job: str, index: int) -> bool:
        entry = self._entries.get(pid)
        return (entry.job, entry.slot_index) == (job, index) if entry is not None else pid in self._feared

    def _find(self) -> None:
        entries = self._roster.read()
        by_run = {entry.run: entry for entry in entries}
        found = {pid: run for pid in all_pids() if (run := self._run_of(pid)) is not None}
        for pid, run in found.items():
            self._add(pid, by_run.get(run), run)
        for entry in entries:
            if entry.pid not in found:
                self._add(entry.pid, entry, entry.run)
        self._roster.rewrite(entry for entry in self._entries.values())

    def _run_of(self, pid: int) -> str | None:
        try:
            return run_of(pid, self._tree)
        except PermissionError:
            return None  # another user's, and not ours unless the roster says so

    def _add(self, pid: int, entry: Entry | None, run: str) -> None:
        seen = look(pid)
        if seen is None or seen.is_zombie or (entry is not None and entry.pid == pid and entry.started != seen.started):
            return
        identity: dict[str, Any] = {"job": entry.job, "run": entry.run} if entry is not None else {}
        if entry is not None and (entry.pid == pid or is_trusted(pid)):
            self._entries[pid] = entry
        elif is_trusted(pid) and not run.startswith(FORKSERVER_RUN):
            self._feared.add(pid)
        self._endings.end(Leftover(pid, seen.started, seen.name, identity))

    def _look(self) -> None:
        gone = self._endings.look()
        for leftover in gone:
            self._entries.pop(leftover.pid, None)
            self._feared.discard(leftover.pid)
        if self._then is not None and not any(self._endings.pending()):
            then, self._then = self._then, None
            self._loop.attempt(then)
        if gone:
            self._roster.rewrite(self._entries.values())
            self._loop.attempt(partial(self.on_gone))
        if self._endings.left:
            self._loop.call_in(self._endings.pause_s, self._look)


def _sentence(left: Leftover | None) -> str:
    if left is None:
        return ""
    hold = left.stuck or describe_hold(left.pid)
    return Reason(f"waiting for pid {left.pid} of the previous daemon to end" + (f": {hold}" if hold else ""))

"""What must hold, read from /proc, from the children's own files and from the server; never from the daemon."""

import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tests.harness.chaos import orphans_of
from tests.harness.processes import Process
from workerd.daemon.processes.memory import private_mib

from . import evidence
from .runner import SETTINGS, Soak

LOOK_EVERY_S = 0.5
DOWN_AT_MOST_S = 10.0
"""Jobs here start again at once; the rest is a machine that does other things."""
EXCUSED_AT_MOST_S = 60.0
"""No slot is down for longer than this, however many excuses follow one another."""
SPARES = 2


@dataclass
class Inspector:
    """Looks on in a thread of its own; ``complaints`` is what it found wrong."""

    soak: Soak
    complaints: list[str] = field(default_factory=list)
    longest_down_s: float = 0.0

    def __post_init__(self) -> None:
        self._down: dict[tuple[str, int], float] = {}
        self._down_since: dict[tuple[str, int], float] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look_on, name="inspector", daemon=True)

    def begin(self) -> None:
        """Look on from now."""
        self._thread.start()

    def end(self) -> None:
        """Look on no more."""
        self._over.set()
        self._thread.join()

    def _look_on(self) -> None:
        before = time.monotonic()
        while not self._over.wait(LOOK_EVERY_S):
            now = time.monotonic()
            self._look(now, min(now - before, 2 * LOOK_EVERY_S))
            before = now

    def _look(self, now: float, passed_s: float) -> None:
        """Add to the time that each slot was down, where nothing excuses it."""
        living, wanted = self.living(), set(self.soak.slots())
        self._down_since = {slot: since for slot, since in self._down_since.items() if slot in wanted}
        for slot in wanted:
            self._watch_excused(slot, slot in living, now)
            if slot in living or self.soak.excused(slot[0], now):
                self._down.pop(slot, None)
                continue
            self._down[slot] = self._down.get(slot, 0.0) + passed_s
            self.longest_down_s = max(self.longest_down_s, self._down[slot])
            if self._down[slot] > DOWN_AT_MOST_S:
                self.complaints.append(f"{slot[0]}:{slot[1]} was down for more than {DOWN_AT_MOST_S:g} s")
                self._down[slot] = 0.0

    def _watch_excused(self, slot: tuple[str, int], lives: bool, now: float) -> None:
        if lives:
            self._down_since.pop(slot, None)
        elif now - self._down_since.setdefault(slot, now) > EXCUSED_AT_MOST_S:
            self.complaints.append(
                f"{slot[0]}:{slot[1]} was down for more than {EXCUSED_AT_MOST_S:g} s, excused or not"
            )
            self._down_since[slot] = now

    def living(self) -> dict[tuple[str, int], int]:
        """Return the pid of each slot's newest child, where that is a child of the daemon and lives."""
        newest = {report.slot: report.pid for report in evidence.read_reports(self.soak.folder)}
        return {slot: pid for slot, pid in newest.items() if self._is_child(pid)}

    def _is_child(self, pid: int) -> bool:
        process = Process.look(pid)
        return process is not None and process.parent == self.soak.daemon.pid and not process.is_zombie

    # at rest

    def disorder(self) -> list[str]:
        """Return what is not as it is at rest: exactly the wanted children, no zombie, no orphan, none twice."""
        found = []
        wanted, living = set(self.soak.slots()), self.living()
        if set(living) != wanted:
            found.append(f"living but not wanted {set(living) - wanted}, wanted but not living {wanted - set(living)}")
        children = self.soak.daemon.children()
        if zombies := [child.pid for child in children if child.is_zombie]:
            found.append(f"zombies {zombies}")
        expected = len(wanted) + len(("forkserver", "ledger")) + SPARES
        if len(children) != expected:
            found.append(f"{len(children)} children of the daemon, not {expected}")
        found += [f"orphan {process}" for process in orphans_of(self.soak.daemon)]
        doubles = self.soak.folder / "doubles"
        return found + (doubles.read_text().splitlines() if doubles.exists() else [])

    def size(self) -> dict[str, tuple[int, float]]:
        """Return for daemon, forkserver and ledger how many descriptors and MiB of their own they have."""
        soak = self.soak
        pids = {"daemon": soak.daemon.pid} | self._ours()
        return {name: (len(_descriptors(pid)), round(private_mib(pid) or 0.0, 1)) for name, pid in pids.items()}

    def _ours(self) -> dict[str, int]:
        """Tell forkserver and ledger from the jobs' children: by command line, and by what is left."""
        jobs = set(self.living().values())
        rest = [child for child in self.soak.daemon.children() if child.pid not in jobs]
        picture = self.soak.daemon.picture()
        forkserver, ledger = picture["daemon"]["forkserver_pid"], self.soak.daemon.slot("workerd.ledger")["pid"]
        assert {forkserver, ledger} <= {child.pid for child in rest}
        return {"forkserver": forkserver, "ledger": ledger}

    # after the end

    def histories(self) -> list[str]:
        """Return what is wrong with the table of runs, once the daemon has ended."""
        runs = {str(pk): (ended, outcome) for pk, ended, outcome in self._rows()}
        runs_reported = Counter(report.run for report in evidence.read_reports(self.soak.folder))
        found = [f"run {run} ran {count} times" for run, count in runs_reported.items() if count > 1]
        missing = set(runs_reported) - set(runs) - self.soak.may_be_lost
        found += [f"run {run} is not in the table" for run in sorted(missing)]
        found += [f"run {run} has no end" for run, (ended, outcome) in runs.items() if ended is None or not outcome]
        return found + [f"run {run} was lost" for run in self._lost(runs)]

    def _lost(self, runs: dict[str, tuple[Any, str]]) -> list[str]:
        """Return the lost runs, but for those that a killed daemon may not have told the end of.

        A child that hangs in an import reports nothing: nobody knows whether it lived when the daemon was killed.
        """
        excused = set(self.soak.may_be_lost)
        if self.soak.lives:
            excused |= set(runs) - {report.run for report in evidence.read_reports(self.soak.folder)}
        return [run for run, (_, outcome) in runs.items() if outcome == "lost" and run not in excused]

    def books(self) -> list[str]:
        """Return what does not hold of the shop's books."""
        script = "from shop.books import verify_books; print(*verify_books(), sep='\\n')"
        env = {"DJANGO_SETTINGS_MODULE": SETTINGS}
        done = self.soak.project.manage("shell", "--no-imports", "-c", script, env=env)
        return [line for line in (done.stdout + (done.stderr if done.returncode else "")).splitlines() if line]

    def outcomes(self) -> dict[str, int]:
        """Return how runs ended."""
        return dict(Counter(outcome for _, _, outcome in self._rows()).most_common())

    def _rows(self) -> list[tuple[Any, Any, str]]:
        return list(self.soak.project.runs.values_list("pk", "ended", "outcome"))


def _descriptors(pid: int) -> dict[int, str]:
    process = Process.look(pid)
    return process.descriptors() if process else {}

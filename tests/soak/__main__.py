"""Runs the shop under every kind of fault, at random, and tells whether anything was lost or left behind.

``python -m tests.soak --minutes 2 --database postgres+psycopg2:`` starts a server of its own; the same ``--seed``
makes the same faults in the same order. Where a kind of fault has had too few turns it goes on, for twice as long at
most. Ends with 1 where an invariant did not hold or a kind of fault was too rare.
"""

import argparse
import json
import os
import random
import shutil
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.harness.backends.server import make_folder

CALM_WITHIN_S = 90.0
LEFT_WITHIN_S = 5.0
LONGER = 2
GROWTH = {"descriptors": 2, "mib": 25.0}
"""What daemon, forkserver and ledger may have more at the end than at the beginning, both at rest."""


def main() -> int:
    """Run one soak, print its figures as JSON, return the exit code."""
    options = _read_options()
    seed = options.seed if options.seed is not None else random.randrange(10**6)
    print(f"soak: {options.minutes:g} minutes, seed {seed}", flush=True)
    folder = make_folder()
    _prepare_django(folder)
    from tests.soak.runner import close_soak, open_soak

    soak = open_soak(options.database, folder)
    try:
        figures = _run(soak, options, seed)
    finally:
        if soak.daemon.is_running:
            (folder / "log").write_text(soak.daemon.report())
        close_soak(soak)
    print(json.dumps(figures, indent=1))
    if figures["complaints"]:
        (folder / "log").write_text(soak.daemon.report())
        print(f"FAILED; the daemon's log is {folder / 'log'}")
        return 1
    shutil.rmtree(folder, ignore_errors=True)
    print("passed")
    return 0


class Injector:
    """Makes one fault after another: every kind once a round, each round in a random order."""

    def __init__(self, soak: Any, faults: dict[str, Any], dice: random.Random, pause_s: tuple[float, float]) -> None:
        self._soak = soak
        self._faults = faults
        self._dice = dice
        self._pause_s = pause_s
        self.done: Counter[str] = Counter(dict.fromkeys(faults, 0))
        self.errors: list[str] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self.run, daemon=True)

    def begin(self) -> None:
        """Go on until ``end``, in a thread."""
        self._thread.start()

    def has_done(self, at_least: int) -> bool:
        """Return whether each kind had so many turns."""
        return min(self.done.values()) >= at_least

    def end(self) -> None:
        """End after the fault that is being made."""
        self._over.set()
        self._thread.join()

    def run(self, is_over: Callable[[], bool] = lambda: False) -> None:
        """Do one fault after another."""
        for name in self._plan():
            if self._over.wait(self._dice.uniform(*self._pause_s)) or is_over():
                return
            began = time.monotonic()
            try:
                done = self._faults[name](self._soak, random.Random(self._dice.random()))
            except Exception as error:  # noqa: BLE001 - said in the figures; the soak goes on
                self.errors.append(f"{name}: {type(error).__name__}: {error}"[:300])
                continue
            self.done[name] += bool(done)
            took = time.monotonic() - began
            print(f"{time.strftime('%T')} {name}: {'done' if done else 'not done'} in {took:.1f} s", flush=True)

    def _plan(self) -> Iterator[str]:
        while True:
            names = sorted(self._faults)
            self._dice.shuffle(names)
            yield from names


def _run(soak: Any, options: argparse.Namespace, seed: int) -> dict[str, Any]:
    from tests.soak.faults import database_faults, process_faults
    from tests.soak.inspection import Inspector

    inspector = Inspector(soak)
    soak.daemon.start(within=60)
    complaints = _calm(inspector.disorder, "at the beginning")
    before = inspector.size()
    inspector.begin()
    database = Injector(soak, database_faults(soak), random.Random(f"{seed} database"), (3.0, 7.0))
    processes = Injector(soak, process_faults(), random.Random(f"{seed} processes"), (0.5, 2.0))
    began = time.monotonic()

    def is_over() -> bool:
        minutes = (time.monotonic() - began) / 60
        enough = database.has_done(options.at_least) and processes.has_done(options.at_least)
        return bool(minutes > (1 if enough else LONGER) * options.minutes)

    processes.begin()
    database.run(is_over)  # in this thread: a server ends with the thread that started it
    processes.end()
    soak.proxy.heal()
    soak.put_rows_back()
    complaints += _calm(lambda: inspector.disorder() or _growth(before, inspector.size()), "at the end")
    inspector.end()
    after = inspector.size()
    complaints += inspector.complaints
    complaints += _stop(soak)
    soak.project.disconnect()
    complaints += inspector.histories()[:20] + inspector.books()[:20]
    counts = {**database.done, **processes.done}
    complaints += [f"{name} was injected {count} times" for name, count in counts.items() if count < options.at_least]
    complaints += database.errors + processes.errors
    complaints += [f"the daemon said: {event['reason']}" for event in _faults(soak)]
    return {
        "seed": seed,
        "minutes": options.minutes,
        "database": soak.databases.backend.name,
        "faults": sum(counts.values()),
        "each": counts,
        "runs": inspector.outcomes(),
        "longest_down_s": round(inspector.longest_down_s, 1),
        "size_before": before,
        "size_after": after,
        "complaints": complaints,
    }


def _calm(look: Callable[[], list[str]], when: str) -> list[str]:
    """Wait until all is as it should be at rest; return what is not."""
    deadline = time.monotonic() + CALM_WITHIN_S
    while disorder := look():
        if time.monotonic() > deadline:
            return [f"{when}: {problem}" for problem in disorder]
        time.sleep(0.5)
    return []


def _stop(soak: Any) -> list[str]:
    """Stop the daemon; return what is wrong with its end. Known by the mark: over hours, pids come again."""
    from tests.harness.processes import ProcessTree

    soak.daemon.signal(signal.SIGTERM)
    code = soak.daemon.wait(60)
    found = [f"the daemon ended with {code}"] if code else []
    tree = ProcessTree(soak.project.mark)
    deadline = time.monotonic() + LEFT_WITHIN_S
    while (left := tree.survivors()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return found + [f"left behind: {process.pid} {process.name}" for process in left]


def _growth(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    return [
        f"{name} grew from {before[name]} to {after[name]} descriptors and MiB"
        for name in before
        if after[name][0] - before[name][0] > GROWTH["descriptors"] or after[name][1] - before[name][1] > GROWTH["mib"]
    ]


def _faults(soak: Any) -> list[dict[str, Any]]:
    """Return the daemon's faults; a disk that is full and births that fail are of the soak's making."""
    return [event for event in soak.daemon.faults() if not event["event"].startswith(("journal.", "birth."))]


def _prepare_django(folder: Path) -> None:
    import django

    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.process.settings"
    os.environ["DATABASE_URL"] = f"sqlite:///{folder}/unused.sqlite3"
    os.environ["WORKERD_STATE_DIR"] = str(folder / "unused")
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "django_site"))
    django.setup()


def _read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--database", required=True, help="postgres+psycopg2: or a URL; see docs/reliability.md")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--at-least", type=int, default=1, help="how often each kind of fault must have been done")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())

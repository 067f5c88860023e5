"""Runs the shop under every kind of fault, at random, and tells whether anything was lost or left behind.

``python -m tests.soak --minutes 2 --database postgres+psycopg2:`` starts a server of its own; the same ``--seed``
makes the same faults in the same order. Where a kind of fault has had too few turns it goes on, for three times as long
at most. Ends with 1 where an invariant did not hold or a kind of fault was too rare.
"""

import argparse
import random
import signal
import sys
import time
from typing import Any

from .session import calm, hold

LEFT_WITHIN_S = 5.0
LONGER = 3
PAUSES_S = {
    "main": (3.0, 7.0),
    "children": (0.5, 2.0),
    "processes": (1.0, 3.0),
    "machine": (3.0, 8.0),
    "pairs": (0.2, 3.0),
}
"""How long each injector rests between two faults."""
GROWTH = {"descriptors": 2, "mib": 25.0}
"""What daemon, forkserver and ledger may have more at the end than at the beginning, both at rest."""


def main() -> int:
    """Run one soak, print its figures as JSON, return the exit code."""
    options = _read_options()
    seed = options.seed if options.seed is not None else random.randrange(10**6)
    print(f"soak: {options.minutes:g} minutes, seed {seed}", flush=True)
    return hold(options.database, lambda soak: _run(soak, options, seed))


def _run(soak: Any, options: argparse.Namespace, seed: int) -> dict[str, Any]:
    from tests.soak.faults import main_faults, side_faults
    from tests.soak.faults.rollout import settle_rollout
    from tests.soak.injector import Injector
    from tests.soak.inspection import Inspector
    from tests.soak.turns import Turns

    inspector = Inspector(soak)
    soak.start(soak.daemon, within=60)
    complaints = calm(inspector.disorder, "at the beginning")
    before = inspector.size()
    inspector.begin()
    main = Injector(soak, main_faults(soak), random.Random(f"{seed} main"), PAUSES_S["main"])
    beside = [
        Injector(soak, faults, random.Random(f"{seed} {name}"), PAUSES_S[name])
        for name, faults in side_faults(soak).items()
    ]
    injectors = [main, *beside]
    turns = Turns(soak, lambda: [injector.now for injector in injectors])
    turns.begin()
    began = time.monotonic()

    def is_over() -> bool:
        minutes = (time.monotonic() - began) / 60
        soak.spare_daemon = minutes > options.minutes / 2  # the last one lives long enough to show whether it grows
        enough = all(injector.has_done(options.at_least) for injector in injectors)
        return bool(minutes > (1 if enough else LONGER) * options.minutes)

    for injector in beside:
        injector.begin()
    main.run(is_over)  # in this thread: a server, and a daemon, ends with the thread that started it
    for injector in beside:
        injector.end()
    soak.heal()
    soak.put_rows_back()
    complaints += calm(lambda: settle_rollout(soak), "at the end")
    complaints += calm(soak.unwritten, "at the end")
    complaints += calm(lambda: inspector.disorder() or _growth(before, inspector.size()), "at the end")
    inspector.end()
    turns.end()
    after = inspector.size()
    complaints += inspector.complaints
    complaints += _stop(soak)
    soak.project.disconnect()
    complaints += inspector.histories()[:20] + inspector.books()[:20] + soak.log_troubles()[:20]
    counts = {name: count for injector in injectors for name, count in injector.done.items()}
    complaints += [f"{name} was injected {count} times" for name, count in counts.items() if count < options.at_least]
    complaints += [error for injector in injectors for error in injector.errors]
    return {
        "seed": seed,
        "minutes": options.minutes,
        "database": soak.databases.backend.name,
        "faults": sum(counts.values()),
        "each": counts,
        "runs": inspector.outcomes(),
        "longest_down_s": round(inspector.longest_down_s, 1),
        **turns.figures(),
        "size_before": before,
        "size_after": after,
        "complaints": complaints,
    }


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


def _read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--database", required=True, help="postgres+psycopg2: or a URL; see docs/reliability.md")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--at-least", type=int, default=1, help="how often each kind of fault must have been done")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())

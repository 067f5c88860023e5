"""What the daemon's imports cost: processor time, and private memory of the idle daemon, with a table by package.

    python -m benchmarks.daemon_imports [--against DIR] [--runs 21] [--daemons 3]

``--against`` is another copy of this repository, for example a git worktree of an older commit. Both are measured in
one run, turn by turn, by this interpreter and its packages. The daemon is started by the real command, without jobs.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DAEMON = "workerd.daemon.__main__"
SETTLED_AFTER_S = 2.0
TIME = "import time; start = time.process_time(); import {module}; print(time.process_time() - start)"
MEMORY = """
import sys
def private():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("RssAnon"))
sizes = {"the interpreter": private()}
import structlog
sizes["structlog and what it imports"] = private()
for name in sys.argv[1:]:
    __import__(name)
sizes["more of the standard library"] = private()
import workerd.daemon.__main__
sizes["workerd"] = private()
print(*sizes.values())
"""
MEMORY_GROUPS = ("the interpreter", "structlog and what it imports", "more of the standard library", "workerd")

Figures = dict[str, dict[str, float]]
"""By row of a table, then by tree."""


def main() -> None:
    options = _parse()
    trees = {"before": options.against, "now": ROOT} if options.against else {"now": ROOT}
    for tree in trees.values():
        _run(tree, TIME.format(module=DAEMON))  # writes the byte code, which this run is to find
    totals = {
        "import of the daemon, ms of processor time": _processor_times(trees, DAEMON, options.runs),
        "import of structlog alone": _processor_times(trees, "structlog", options.runs),
    }
    totals |= _idle_memory(trees, options.daemons)
    print(f"processor time: median of {options.runs} fresh interpreters; memory: median of {options.daemons} daemons")
    _print_table(totals, trees)
    print("\nimport by package, ms (-X importtime, the least of each module; it slows what it measures)")
    _print_table(_times_by_package(trees, options.runs), trees)
    print("\nprivate memory by package, MiB, as the imports come one after the other")
    _print_table(_memory_by_package(trees, options.runs), trees)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", type=lambda text: Path(text).resolve(), help="another copy of the repository")
    parser.add_argument("--runs", type=int, default=21)
    parser.add_argument("--daemons", type=int, default=3)
    return parser.parse_args()


def _run(tree: Path, script: str, *words: str, flags: tuple[str, ...] = ()) -> "subprocess.CompletedProcess[str]":
    env = {**_environment(), "PYTHONPATH": str(tree)}
    command = [sys.executable, *flags, "-c", script, *words]
    return subprocess.run(command, cwd=tree, env=env, capture_output=True, text=True, check=True)


def _environment() -> dict[str, str]:
    """Return the environment, but let byte code be written: it is what a daemon that was installed starts from."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def _in_turn(trees: Mapping[str, Path], runs: int, measure: Callable[[Path], float]) -> dict[str, float]:
    """Return each tree's median; the trees take turns, so that a busy machine slows both alike."""
    seen: dict[str, list[float]] = {name: [] for name in trees}
    for _ in range(runs):
        for name, tree in trees.items():
            seen[name].append(measure(tree))
    return {name: statistics.median(values) for name, values in seen.items()}


def _processor_times(trees: Mapping[str, Path], module: str, runs: int) -> dict[str, float]:
    return _in_turn(trees, runs, lambda tree: 1000 * float(_run(tree, TIME.format(module=module)).stdout))


# memory of the idle daemon


def _idle_memory(trees: Mapping[str, Path], daemons: int) -> Figures:
    rollups: dict[str, list[dict[str, float]]] = {name: [] for name in trees}
    for _ in range(daemons):
        for name, tree in trees.items():
            rollups[name].append(_memory_of_a_daemon(tree))
    return {
        f"idle daemon, MiB of {label}": {
            name: statistics.median(rollup[field] for rollup in seen) for name, seen in rollups.items()
        }
        for label, field in (("private dirty memory", "Private_Dirty"), ("anonymous memory (RssAnon)", "RssAnon"))
    }


def _memory_of_a_daemon(tree: Path) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="workerd-imports.", ignore_cleanup_errors=True) as folder:
        env = {
            **_environment(),
            "DJANGO_SETTINGS_MODULE": "django_site.settings",
            "DATABASE_URL": f"sqlite:///{folder}/shop.sqlite3",
            "PYTHONPATH": f"{tree}:{tree / 'django_site'}",
            "WORKERD_STATE_DIR": f"{folder}/state",
            "WORKERD_SETTINGS": json.dumps({"LOG_FORMAT": "json"}),
        }
        manage = [sys.executable, str(tree / "django_site" / "manage.py")]
        subprocess.run([*manage, "migrate", "-v0"], env=env, check=True, capture_output=True)
        with subprocess.Popen([*manage, "workerd", "run"], env=env, stdout=subprocess.PIPE, text=True) as daemon:
            assert daemon.stdout is not None
            try:
                while json.loads(daemon.stdout.readline())["event"] != "daemon.ready":
                    pass
                time.sleep(SETTLED_AFTER_S)
                return _sizes(Path(f"/proc/{daemon.pid}/smaps_rollup")) | _sizes(Path(f"/proc/{daemon.pid}/status"))
            finally:
                daemon.terminate()


def _sizes(file: Path) -> dict[str, float]:
    lines = (line.split() for line in file.read_text().splitlines() if line.endswith(" kB"))
    return {words[0].rstrip(":"): int(words[1]) / 1024 for words in lines}


# where it goes


def _times_by_package(trees: Mapping[str, Path], runs: int) -> Figures:
    figures: Figures = {}
    for name, tree in trees.items():
        least: dict[str, int] = {}
        for _ in range(runs):
            for module, spent in _import_times(tree):
                least[module] = min(spent, least.get(module, spent))
        of_structlog = _modules(tree, "import structlog") - _modules(tree, "")
        for module in (_modules(tree, f"import {DAEMON}") - _modules(tree, "")) & least.keys():
            row = figures.setdefault(_package(module, of_structlog), dict.fromkeys(trees, 0.0))
            row[name] += least[module] / 1000
    return dict(sorted(figures.items(), key=lambda item: -item[1]["now"]))


def _import_times(tree: Path) -> Iterator[tuple[str, int]]:
    """Yield each module with the microseconds that its own import takes."""
    report = _run(tree, f"import {DAEMON}", flags=("-X", "importtime")).stderr.splitlines()
    for line in report[1:]:  # the first one is the heading
        spent, _, module = line.removeprefix("import time:").split("|")
        yield module.strip(), int(spent)


def _modules(tree: Path, imports: str) -> set[str]:
    return set(_run(tree, f"{imports}\nimport sys; print(*sys.modules)").stdout.split())


def _package(module: str, of_structlog: set[str]) -> str:
    top = module.partition(".")[0]
    if top == "workerd":
        return ".".join(module.split(".")[:2])
    if top == "structlog":
        return top
    return "the standard library, as structlog imports it" if module in of_structlog else f"more of it: {top}"


def _memory_by_package(trees: Mapping[str, Path], runs: int) -> Figures:
    figures: Figures = {group: {} for group in MEMORY_GROUPS}
    for name, tree in trees.items():
        more = sorted(_modules(tree, f"import {DAEMON}") - _modules(tree, "import structlog"))
        more = [module for module in more if not module.startswith("workerd")]
        samples = [[int(size) / 1024 for size in _run(tree, MEMORY, *more).stdout.split()] for _ in range(runs)]
        medians = [0.0, *(statistics.median(column) for column in zip(*samples, strict=True))]
        for group, below, size in zip(MEMORY_GROUPS, medians, medians[1:], strict=False):
            figures[group][name] = size - below
    return figures


def _print_table(figures: Figures, trees: Mapping[str, Path]) -> None:
    for label, row in figures.items():
        share = f"{row['now'] / row['before']:8.0%}" if row.get("before") else ""
        print(f"  {label:48}" + "".join(f"{row[name]:10.2f}" for name in trees) + share)


if __name__ == "__main__":
    main()

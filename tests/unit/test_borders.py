"""The borders between folders: who may import whom, the daemon's layers, no circles, and who never loads Django."""

import ast
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "workerd"
APP = frozenset({"root", "models"})
MAY_IMPORT = {
    "wire": frozenset(),
    "job_rules": frozenset({"wire", "root"}),
    "daemon": frozenset({"wire"}),
    "forksafe": frozenset({"wire", "root"}),
    "child": APP | {"wire", "job_rules", "forksafe"},
    "ledger": APP | {"wire", "job_rules", "forksafe", "fleet"},
    "observer": frozenset({"wire", "root"}),
    "notifier": APP | {"wire", "forksafe", "ledger"},
    "forkserver": APP | {"wire", "forksafe", "child", "ledger", "notifier"},
    "root": APP | {"wire", "job_rules", "forksafe", "child"},
    "models": APP | {"wire", "job_rules"},
    "migrations": APP | {"wire"},
    "consumers": frozenset({"wire", "job_rules", "root"}),
    "definitions": APP | {"wire", "job_rules", "consumers"},
    "fleet": APP | {"wire", "job_rules"},
    "sync": APP | {"wire", "job_rules", "definitions", "forksafe"},
    "adopt": frozenset({"wire", "job_rules", "root"}),
    "admin": APP | {"wire", "job_rules", "definitions", "sync", "fleet", "consumers"},
    "contrib": APP | {"child"},
    "testing": APP | {"wire", "job_rules", "definitions", "child"},
    "management": APP
    | {"wire", "job_rules", "definitions", "sync", "adopt", "forksafe", "child", "ledger", "forkserver", "fleet"}
    | {"consumers", "notifier"},
}
"""By folder; ``root`` is the modules beside them. The package itself, for its version, is open to all."""

AGAINST_THE_ARROWS = {
    ("workerd.__main__", "workerd.management"),  # the command's other door
    ("workerd.apps", "workerd.management"),  # "run" needs no loaded project, and is not to wait for one
    ("workerd.apps", "workerd.forkserver"),  # in a forkserver, fork safety must stand before another app connects
}
OPEN_TO_ALL = {"workerd.__version__", "workerd.errors.WorkerdError", "workerd.durations.format_duration"}
JOB_RULES_TAKE = {"durations"}
"""The rules of a row are pure: of the root they read how durations are written."""
OUTSIDE = {"wire": {"cronsim", "zoneinfo"}, "daemon": {"structlog"}}
"""What they import besides the standard library. ``zoneinfo`` is of it, and named since it reads files."""

COSTLY = {"argparse", "asyncio", "hashlib", "inspect", "pathlib", "secrets", "subprocess", "tempfile", "urllib"}
FORKSAFE_TAKES = {"conf"}
"""Fork safety works in a project without the app, so of the root it reads the settings alone."""

LAYERS = ("rules", "io", "processes", "slots", "node")
"""The daemon's, from below. A layer imports only layers below it; the files beside them in daemon/ import them all."""

IMPORT_ALL = """
import importlib, pkgutil, sys
for name in sys.argv[1:]:
    package = importlib.import_module(name)
    for module in pkgutil.walk_packages(package.__path__, name + "."):
        importlib.import_module(module.name)
print(*sorted(name for name in sys.modules if name.split(".")[0].startswith("django")))
"""


def run_fresh(script: str, *words: str) -> str:
    """Run a script in an interpreter of its own, without this one's modules."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}  # it loads sqlite3
    command = [sys.executable, "-c", script, *words]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("folder", ["daemon", "wire", "job_rules", "adopt", "observer"])
def test_what_must_not_load_django_never_does(folder: str) -> None:
    assert run_fresh(IMPORT_ALL, f"workerd.{folder}") == ""


def test_importing_workerd_loads_nothing_of_django() -> None:
    script = "import sys, workerd; print(*[name for name in sys.modules if name.startswith('django')])"

    assert run_fresh(script) == ""


def test_the_daemon_loads_neither_django_nor_a_database() -> None:
    """What the daemon imports lives in memory for months and can stop every job."""
    script = IMPORT_ALL.replace('startswith("django")', "startswith(('django', 'psycopg', 'MySQLdb', 'sqlite3'))")

    assert run_fresh(script, "workerd.daemon") == ""


@pytest.mark.parametrize("folder", OUTSIDE)
def test_wire_and_the_daemon_import_nothing_else_from_outside(folder: str) -> None:
    found = {name.partition(".")[0] for path in (PACKAGE / folder).rglob("*.py") for name in imports_of(path)}

    assert found - (sys.stdlib_module_names - {"zoneinfo"}) - {"workerd"} == OUTSIDE[folder]


def test_a_daemon_without_schedules_pays_for_none() -> None:
    script = (
        "import sys, workerd.daemon.__main__, workerd.wire.schedule; print(*{'cronsim', 'zoneinfo'} & {*sys.modules})"
    )

    assert run_fresh(script) == ""


def test_the_daemon_imports_no_module_that_costs_more_than_it_gives() -> None:
    """Each start of the daemon pays for what these import in turn; ``python -m benchmarks.daemon_imports`` shows it."""
    script = "import sys, workerd.daemon.__main__; print(*[name for name in sys.modules if name.startswith('workerd')])"
    files = [PACKAGE.parent.joinpath(*name.split(".")) for name in run_fresh(script).split()]
    paths = [path / "__init__.py" if path.is_dir() else path.with_suffix(".py") for path in files]
    costly = {
        f"{path.relative_to(PACKAGE)} imports {name}"
        for path in paths
        for name in imports_of(path)
        if name.partition(".")[0] in COSTLY
    }

    assert costly == set()


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module: str) -> str:
    """Return the folder of a module of ours; what stands beside the folders is ``root``."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and (PACKAGE / parts[1]).is_dir() else "root"


def imports_of(path: Path) -> Iterator[str]:
    """Yield the absolute names of what a file imports from us, wherever in the file."""
    package = module_name(path) if path.name == "__init__.py" else module_name(path).rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{base}.{alias.name}" for alias in node.names)


@cache
def edges() -> list[tuple[str, str, str]]:
    """Return (our module, its folder, what it imports from us) for every import in the package."""
    return [
        (module_name(path), room_of(module_name(path)), imported)
        for path in sorted(PACKAGE.rglob("*.py"))
        for imported in imports_of(path)
        if imported.startswith("workerd.") and imported not in OPEN_TO_ALL
    ]


def module_of(name: str) -> str:
    """Return the module of ours that an imported name stands in, or is."""
    while not (ROOT / (name.replace(".", "/") + ".py")).exists() and not (ROOT / name.replace(".", "/")).is_dir():
        name = name.rpartition(".")[0]
    return name


def graph() -> dict[str, set[str]]:
    """Return which of our modules each of them imports, under TYPE_CHECKING and inside functions, too."""
    found: dict[str, set[str]] = {}
    for importer, _, imported in edges():
        found.setdefault(importer, set()).add(module_of(imported))
    return found


def layer_of(module: str) -> int:
    """Return the height of a module of the daemon; what stands beside the layers is above them."""
    name = module.split(".")[2]
    return LAYERS.index(name) if name in LAYERS else len(LAYERS)


def test_the_arrows_run_one_way() -> None:
    wrong = [
        f"{importer} imports {imported}"
        for importer, room, imported in edges()
        if room_of(imported) not in MAY_IMPORT[room] | {room}
        and not any(importer == source and imported.startswith(target) for source, target in AGAINST_THE_ARROWS)
    ]

    assert wrong == []


def test_nobody_imports_the_daemon() -> None:
    assert [importer for importer, room, imported in edges() if room_of(imported) == "daemon" != room] == []


def test_fork_safety_takes_nothing_of_the_app_but_its_settings() -> None:
    taken = {imported.split(".")[1] for _, room, imported in edges() if room == "forksafe" != room_of(imported)}

    assert taken - {"wire"} <= FORKSAFE_TAKES


def test_the_rules_of_a_row_take_nothing_of_the_app_but_durations() -> None:
    taken = {imported.split(".")[1] for _, room, imported in edges() if room == "job_rules" != room_of(imported)}

    assert taken - {"wire"} <= JOB_RULES_TAKE


def test_every_folder_is_on_the_map() -> None:
    folders = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}

    assert folders <= set(MAY_IMPORT)


def arrows_up() -> set[tuple[str, str]]:
    daemon = {name: imported for name, imported in graph().items() if name.startswith("workerd.daemon.")}
    return {
        (importer, imported)
        for importer, names in daemon.items()
        for imported in names
        if imported.startswith("workerd.daemon.") and layer_of(imported) > layer_of(importer)
    }


def test_a_layer_of_the_daemon_imports_only_layers_below_it() -> None:
    assert sorted(arrows_up()) == []


def test_no_imports_run_in_a_circle() -> None:
    """Those under TYPE_CHECKING count: a circle there is one in the reader's head."""
    try:
        TopologicalSorter(graph()).prepare()
    except CycleError as error:
        pytest.fail("a circle: " + " <- ".join(error.args[1]))


def test_every_folder_of_the_daemon_is_a_layer() -> None:
    folders = {path.name for path in (PACKAGE / "daemon").iterdir() if (path / "__init__.py").exists()}

    assert folders == set(LAYERS)


@pytest.mark.parametrize("layer", LAYERS)
def test_the_linter_holds_the_border_of_each_layer(layer: str) -> None:
    """A table of banned imports replaces the one that it extends, so each file names Django anew."""
    file = PACKAGE / "daemon" / layer / "ruff.toml"
    banned = tomllib.loads(file.read_text())["lint"]["flake8-tidy-imports"]["banned-api"]
    above = LAYERS[LAYERS.index(layer) + 1 :]

    assert set(banned) == {"django", "workerd.daemon.daemon", *(f"workerd.daemon.{name}" for name in above)}

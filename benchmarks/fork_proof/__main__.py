"""What each strategy about database connections and fork() does, on real servers: counts, as JSON and as a page.

``python -m benchmarks.fork_proof`` runs the table; ``--million`` runs a million verified queries a backend behind
``prepare_to_fork()`` instead. Starts throw-away servers of its own.
"""

import argparse
import contextlib
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import django

from tests.forksafe.conftest import transport
from tests.harness.backends.backend import BACKENDS, Databases
from tests.harness.backends.server import make_folder

from .counters import Counters
from .figures import Figures
from .page import COLUMNS, write_page
from .strategies import STRATEGIES

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "fork-safety.md"
RESULTS = Path(__file__).with_name("results.json")
CELL_WITHIN_S = 60
TABLE = {"life": 60, "restarts": 8, "queries": 0, "births_at_most": 12, "hung_after": 4}
MILLION = {"life": 5000, "restarts": 200, "queries": 1_000_000, "births_at_most": 4000, "hung_after": 120}
WORKLOAD = (
    "a parent that asks 5 times before each of 12 forks, 4 children at a time with 60 verified queries and 3 writes "
    "each, every other one killed on its way; a child that has not ended after 4 s hung"
)


class Bench:
    """The servers of a run, and one database a backend on them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.databases: dict[str, Databases] = {}
        servers: dict[str, Any] = {}
        for name, backend in BACKENDS.items():
            databases = Databases(backend, folder)
            databases.server = servers.setdefault(backend.vendor, databases.server)
            self.databases[name] = databases

    def url(self, column: str, kind: str) -> str:
        """Return the URL of a new, empty database for a cell."""
        name = column.removesuffix("-pool")
        databases = self.databases[name]
        if databases.server is not None:
            databases.server.ensure_started()
        database = f"proof_{uuid.uuid4().hex[:12]}"
        databases.create(database)
        options = dict(transport(databases.backend, databases.server, kind))
        if column.endswith("-pool"):
            options["pool"] = "1"
        return databases.url(database, options)

    def versions(self) -> list[str]:
        """Return what ran, in words."""
        from tests.harness.backends.identity import VERSION_QUERIES

        lines = [f"Django {django.__version__}, Python {platform.python_version()}"]
        for name in ("postgres-psycopg2", "mysql-pymysql"):
            [[version]] = self.databases[name].execute(VERSION_QUERIES[BACKENDS[name].vendor])
            lines.append(str(version).partition(" on ")[0])
        return lines

    def close(self) -> None:
        """Stop the servers."""
        for databases in self.databases.values():
            databases.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def run_cell(folder: Path, url: str, cell: tuple[str, str, str], workload: dict[str, Any], within: float) -> Figures:
    """Run one cell in a process group of its own, of which nothing is left afterwards."""
    counters, result = folder / "counters", folder / "result"
    counters.unlink(missing_ok=True)
    result.unlink(missing_ok=True)
    figures = Counters(counters)
    program = {**workload, "strategy": cell[2], "url": url, "nonce": uuid.uuid4().hex}
    program |= {"counters": str(counters), "result": str(result)}
    command = [sys.executable, "-m", "benchmarks.fork_proof.cell", json.dumps(program)]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'django_site'}"}
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        errors = b""
        try:
            _, errors = process.communicate(timeout=within)
        except subprocess.TimeoutExpired:
            pass
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    if process.returncode > 0:
        raise SystemExit(f"{cell}: {errors.decode(errors='replace')}")
    return Figures.collect(cell, figures, json.loads(result.read_text()) if result.exists() else None)


def main() -> int:
    """Run what was asked for, print a line a cell, write the results; 1 where a guarded cell is not right."""
    options = _options()
    if options.write_docs:
        write_page(PAGE, RESULTS, STRATEGIES)
        return 0
    bench = Bench(make_folder())
    try:
        workload, strategies = (MILLION, ["prepare_to_fork()"]) if options.million else (TABLE, list(STRATEGIES))
        cells = [
            (column, kind, strategy)
            for column in options.columns or COLUMNS
            for kind in (("plain",) if column == "sqlite" or options.million else ("plain", "tls"))
            for strategy in (options.strategy or strategies)
        ]
        done = [_run(bench, cell, workload) for cell in cells]
        document = {
            "command": "python -m benchmarks.fork_proof",
            "workload": WORKLOAD,
            "servers": bench.versions(),
        }
    finally:
        bench.close()
    if options.json:
        text = json.dumps({**document, "cells": [figures.to_dict() for figures in done]}, indent=1, ensure_ascii=False)
        options.json.write_text(text + "\n")
    guarded = [figures for figures in done if figures.strategy in ("install() alone", "prepare_to_fork()")]
    return 0 if all(figures.is_right for figures in guarded) else 1


def _run(bench: Bench, cell: tuple[str, str, str], workload: dict[str, Any]) -> Figures:
    within = CELL_WITHIN_S if workload is TABLE else 3600
    figures = run_cell(bench.folder, bench.url(cell[0], cell[1]), cell, workload, within)
    if (figures.cipher != "") != (cell[1] == "tls") and not figures.parent_hung:
        raise SystemExit(f"{cell}: the session's cipher is {figures.cipher!r}")
    outcome = "right" if figures.is_right else "; ".join(figures.faults())
    numbers = f"{figures.answered} answered, {figures.restarts} restarts, {figures.seconds:.1f} s"
    print(f"{' | '.join(cell)}: {outcome} ({numbers})", flush=True)
    return figures


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fork_proof", description=__doc__)
    parser.add_argument("columns", nargs="*", metavar="BACKEND", help=f"of {', '.join(COLUMNS)}")
    parser.add_argument("--strategy", action="append", choices=list(STRATEGIES), help="only this one")
    parser.add_argument("--million", action="store_true", help="a million queries and 200 restarts a backend")
    parser.add_argument("--json", type=Path, help=f"write the results there; the page's are {RESULTS.name}")
    parser.add_argument("--write-docs", action="store_true", help=f"only make the table of {PAGE.name} anew")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())

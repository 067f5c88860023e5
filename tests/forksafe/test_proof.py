"""The proof, in short, and the page that is made of the long one."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.fork_proof.__main__ import PAGE, RESULTS, TABLE, run_cell
from benchmarks.fork_proof.figures import Figures
from benchmarks.fork_proof.page import BEGIN, COLUMNS, END, MissingCellError, tables
from benchmarks.fork_proof.strategies import STRATEGIES
from tests.harness.backends.backend import Backend

SHORT = {"life": 150, "restarts": 20, "queries": 3_000, "births_at_most": 400, "hung_after": 30}
HERE = pytest.mark.backends("sqlite")
Url = Callable[[str], str]


@pytest.mark.parametrize("strategy", ["install() alone", "prepare_to_fork()"])
def test_three_thousand_queries_and_twenty_restarts_see_no_wrong_row(
    url: Url, backend: Backend, tmp_path: Path, strategy: str
) -> None:
    figures = run_cell(tmp_path, url("plain"), (backend.name, "plain", strategy), SHORT, within=60)

    assert figures.faults() == []
    assert figures.answered >= 3_000
    assert figures.restarts >= 20


@pytest.mark.backends("postgres-psycopg")
def test_the_proof_holds_for_a_pool(url: Url, backend: Backend, tmp_path: Path) -> None:
    figures = run_cell(tmp_path, url("pool"), (backend.name, "plain", "prepare_to_fork()"), SHORT, within=60)

    assert figures.faults() == []


@pytest.mark.backends("postgres", "mysql")
def test_the_same_program_without_the_guard_goes_wrong(url: Url, backend: Backend, tmp_path: Path) -> None:
    figures = run_cell(tmp_path, url("plain"), (backend.name, "plain", "nothing"), TABLE, within=8)

    assert figures.wrong or figures.errors or figures.hung or figures.parent_hung


def _document() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(RESULTS.read_text())
    return document


@HERE
def test_the_pages_tables_are_made_of_the_proofs_results() -> None:
    shown = PAGE.read_text().partition(BEGIN)[2].partition(END)[0].strip()

    assert shown == tables(_document(), STRATEGIES)


@HERE
def test_a_missing_cell_is_an_error() -> None:
    document = _document()
    document["cells"].pop()

    with pytest.raises(MissingCellError, match=r"run benchmarks/fork_proof whole"):
        tables(document, STRATEGIES)


@HERE
def test_behind_the_guard_every_cell_is_right_and_its_transport_proven() -> None:
    cells = [Figures(**cell) for cell in _document()["cells"]]
    guarded = [cell for cell in cells if cell.strategy in ("install() alone", "prepare_to_fork()")]

    assert len(guarded) == 2 * (2 * len(COLUMNS) - 1)
    assert [cell for cell in guarded if not cell.is_right] == []
    assert all(bool(cell.cipher) == (cell.transport == "tls") for cell in cells if not cell.parent_hung)

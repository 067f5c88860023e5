"""The tables of docs/fork-safety.md, made of the proof's JSON; a cell that is missing is an error."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .figures import Figures

BEGIN, END = "<!-- table: benchmarks/fork_proof -->", "<!-- end of table -->"
COLUMNS = {
    "sqlite": "SQLite (WAL)",
    "postgres-psycopg2": "PostgreSQL, psycopg2",
    "postgres-psycopg": "PostgreSQL, psycopg 3",
    "postgres-psycopg-pool": "PostgreSQL, psycopg 3 with pool",
    "mysql-mysqlclient": "MariaDB, mysqlclient",
    "mysql-pymysql": "MariaDB, PyMySQL",
}


class MissingCellError(Exception):
    """The proof was not run whole."""


def write_page(page: Path, results: Path, strategies: Iterable[str]) -> None:
    """Put the tables of ``results`` between the page's marks."""
    before, _, rest = page.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n\n{tables(json.loads(results.read_text()), strategies)}\n\n{END}{after}")


def tables(document: dict[str, Any], strategies: Iterable[str]) -> str:
    """Return both tables, plain and TLS, in Markdown."""
    cells = {(cell["backend"], cell["transport"], cell["strategy"]): Figures(**cell) for cell in document["cells"]}
    names = list(strategies)
    parts = []
    for transport, title in (("plain", "Without encryption"), ("tls", "Over TLS")):
        columns = [column for column in COLUMNS if transport == "plain" or column != "sqlite"]
        head = f"| {title} | " + " | ".join(COLUMNS[column] for column in columns) + " |"
        lines = [head, "|---" * (len(columns) + 1) + "|"]
        for strategy in names:
            words = [_words(cells, (column, transport, strategy)) for column in columns]
            lines.append(f"| {_title(strategy)} | " + " | ".join(words) + " |")
        parts.append("\n".join(lines))
    return "\n\n".join([*parts, _made(document)])


def _words(cells: dict[tuple[str, str, str], Figures], key: tuple[str, str, str]) -> str:
    if key not in cells:
        raise MissingCellError(f"no cell for {', '.join(key)}: run benchmarks/fork_proof whole")
    return "**right**" if cells[key].is_right else "; ".join(cells[key].faults())


def _title(strategy: str) -> str:
    return strategy if strategy in ("nothing", "a lock") else f"`{strategy}`"


def _made(document: dict[str, Any]) -> str:
    servers = "; ".join(document["servers"])
    return f"Made by `{document['command']}`: {document['workload']}. {servers}."

"""The table of docs/compared.md: a row a case, made of what the tests saw."""

from collections.abc import Iterable
from pathlib import Path

from .case import Case
from .comparison import ASPECTS, Comparison

PAGE = Path(__file__).resolve().parents[2] / "docs" / "compared.md"
BEGIN, END = "<!-- fidelity -->\n", "<!-- end of fidelity -->"


def shown(case: Case) -> str:
    """Return the case's second cell."""
    return case.shown or f"`{case.command}`"


def compared(seen: Comparison) -> list[str]:
    """Return the row of a case that was compared."""
    return [f"{seen.case.package} {seen.version}", shown(seen.case), *seen.cells()]


def not_compared(case: Case) -> list[str]:
    """Return the row of a case that cannot run."""
    return [case.package, shown(case), f"not compared: {case.cannot}", *[""] * (len(ASPECTS) - 1)]


def render(rows: Iterable[list[str]]) -> str:
    """Return the table in Markdown."""
    head = ["package", "command", *ASPECTS]
    lines = [head, ["---"] * len(head), *sorted(rows)]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def read_page() -> str:
    """Return the table that the page has."""
    return PAGE.read_text().partition(BEGIN)[2].partition(END)[0]


def write_page(table: str) -> None:
    """Put the table into the page, in place of the one that it has."""
    head, _, rest = PAGE.read_text().partition(BEGIN)
    PAGE.write_text(head + BEGIN + table + END + rest.partition(END)[2])

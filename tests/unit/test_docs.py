"""The pages under docs/ say what the code does: the event table, the verbs, the exit codes."""

import re
import shlex
from pathlib import Path

import pytest

from workerd.wire import exit_codes
from workerd.wire.events import EVENTS

DOCS = Path(__file__).resolve().parents[2] / "docs"
BEGIN, END = "<!-- events -->\n", "<!-- end of events -->"


def event_table() -> str:
    """Return the table as the page has it; ``python -m tests.unit.test_docs`` writes it there."""
    rows = ["| event | level | fields | says |", "|---|---|---|---|"]
    for name, event in EVENTS.items():
        fields = ", ".join(f"`{field}`" for field in event.fields)
        rows.append(f"| `{name}` | {event.level} | {fields} | {event.says.replace('|', chr(92) + '|')} |")
    return "\n".join([*rows, ""])


def test_the_page_has_the_table_of_events_as_the_code_has_it() -> None:
    page = (DOCS / "operations.md").read_text()

    assert page.partition(BEGIN)[2].partition(END)[0] == event_table()


def test_the_page_has_every_verb_and_no_other() -> None:
    from workerd.management.commands.workerd import VERBS

    page = (DOCS / "operations.md").read_text()
    section = page.partition("## Verbs")[2].partition("\n## ")[0]
    named = {found.split()[0] for found in re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE)}

    assert named == set(VERBS)


def test_the_page_has_every_exit_code_of_the_daemon_and_the_command() -> None:
    section = (DOCS / "operations.md").read_text().partition("## Exit codes")[2].partition("\n## ")[0]
    listed = {int(code) for code in re.findall(r"^\| (\d+) \|", section, re.MULTILINE)}

    assert listed == {value for name, value in vars(exit_codes).items() if name.isupper()}


def command_lines() -> list[tuple[str, str]]:
    """Return what the pages and the README have people type after ``manage.py workerd``."""
    pages = [*sorted(DOCS.glob("*.md")), DOCS.parent / "README.md"]
    pattern = re.compile(r"manage\.py workerd ([a-z][^`“”\n#|]*)")
    return [(page.name, found.strip()) for page in pages for found in pattern.findall(page.read_text())]


@pytest.mark.parametrize(("page", "line"), command_lines())
def test_a_command_line_of_the_pages_is_one_that_the_command_takes(page: str, line: str) -> None:
    from workerd.management.commands.workerd import Command

    words = shlex.split(line)

    Command().create_parser("manage.py", "workerd").parse_args(words)


def test_the_page_has_a_row_for_each_command_that_is_compared() -> None:
    from tests.fidelity.case import load, names
    from tests.fidelity.table import read_page, shown

    rows = [line.strip("| ").split(" | ") for line in read_page().splitlines()[2:]]

    assert sorted((row[0].split()[0], row[1]) for row in rows) == sorted(
        (case.package, shown(case)) for case in map(load, names())
    )


if __name__ == "__main__":
    path = DOCS / "operations.md"
    head, _, rest = path.read_text().partition(BEGIN)
    path.write_text(head + BEGIN + event_table() + END + rest.partition(END)[2])

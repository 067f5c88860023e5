"""The pages under docs/ say what the code does: events, settings, verbs, exit codes.

``python -m tests.unit.test_docs`` writes the tables of events and settings.
"""

import re
import shlex
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.apps import apps
from django.utils.text import capfirst

from workerd.setting_keys import KEYS, Key
from workerd.wire import exit_codes
from workerd.wire.events import EVENTS

DOCS = Path(__file__).resolve().parents[2] / "docs"


def event_table() -> str:
    rows = ["| event | level | fields | says |", "|---|---|---|---|"]
    for name, event in EVENTS.items():
        fields = ", ".join(f"`{field}`" for field in event.fields)
        rows.append(f"| `{name}` | {event.level} | {fields} | {event.says.replace('|', chr(92) + '|')} |")
    return "\n".join([*rows, ""])


def settings_table() -> str:
    rows = ["| key | default | a value is | means |", "|---|---|---|---|"]
    for name, key in KEYS.items():
        rows.append(f"| `{name}` | {default_of(key)} | {key.expected} | {key.says} |")
    return "\n".join([*rows, ""])


def default_of(key: Key) -> str:
    if isinstance(key.default, timedelta):
        return f"`timedelta(days={key.default.days})`"
    if isinstance(key.default, tuple):
        return f"`{list(key.default)}`".replace("'", '"')
    return f'`"{key.default}"`' if isinstance(key.default, str) else f"`{key.default}`"


TABLES: dict[str, tuple[str, Callable[[], str]]] = {
    "events": ("operations.md", event_table),
    "settings": ("settings.md", settings_table),
}


def split_at_table(name: str) -> tuple[str, str, str]:
    """Return what a page has before its table, the table, and what follows."""
    head, _, rest = (DOCS / TABLES[name][0]).read_text().partition(f"<!-- {name} -->\n")
    table, _, tail = rest.partition(f"<!-- end of {name} -->")
    return head, table, tail


@pytest.mark.parametrize("name", TABLES)
def test_the_page_has_the_table_as_the_code_has_it(name: str) -> None:
    assert split_at_table(name)[1] == TABLES[name][1]()


def test_the_pages_call_the_app_and_its_rows_as_the_admin_does() -> None:
    from workerd.models import Job

    title = f"{apps.get_app_config('workerd').verbose_name} › {capfirst(str(Job._meta.verbose_name_plural))}"
    pages = [*DOCS.glob("*.md"), DOCS.parent / "README.md"]
    named = [(page.name, found) for page in pages for found in re.findall(r"\*([^*\n]+ › [^*\n]+)\*", page.read_text())]

    assert {found for _, found in named} == {title}, named


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
    for table, (page, make) in TABLES.items():
        head, _, tail = split_at_table(table)
        (DOCS / page).write_text(f"{head}<!-- {table} -->\n{make()}<!-- end of {table} -->{tail}")

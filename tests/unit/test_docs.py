"""The pages under docs/ say what the code does: events, settings, verbs, exit codes.

``python -m tests.unit.test_docs`` writes the tables of events, settings, fields and fates.
"""

import re
import shlex
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.utils.text import capfirst

from workerd.adopt import cron_variables, unit_directives
from workerd.adopt import supervisor_table as supervisor_tables
from workerd.adopt.fates import Directive, Fate
from workerd.definitions.toml_text import _field
from workerd.job_rules.choices import CHOICES
from workerd.job_rules.written import DEFAULTS
from workerd.setting_keys import KEYS, Key
from workerd.wire import exit_codes
from workerd.wire.alerts import ALERT_KINDS
from workerd.wire.config import DaemonConfig
from workerd.wire.events import EVENTS

DOCS = Path(__file__).resolve().parents[2] / "docs"


def event_table() -> str:
    rows = ["| event | level | fields | says |", "|---|---|---|---|"]
    for name, event in EVENTS.items():
        fields = ", ".join(f"`{field}`" for field in event.fields)
        rows.append(f"| `{name}` | {event.level} | {fields} | {event.says.replace('|', chr(92) + '|')} |")
    return "\n".join([*rows, ""])


def settings_table() -> str:
    rows = ["| key | default | a value is | means | a change acts at |", "|---|---|---|---|---|"]
    for name, key in KEYS.items():
        rows.append(f"| `{name}` | {default_of(key)} | {key.expected} | {key.says} | {acts_at(key)} |")
    return "\n".join([*rows, ""])


def acts_at(key: Key) -> str:
    """Return when the daemon takes a changed value: what it got at its start stays until the next one."""
    if key.attribute in DaemonConfig._fields:
        return "a restart"
    return "a `sync`" if key.attribute == "definitions" else "a reload"


def default_of(key: Key) -> str:
    if isinstance(key.default, timedelta):
        return f"`timedelta(days={key.default.days})`"
    if isinstance(key.default, tuple):
        return f"`{list(key.default)}`".replace("'", '"')
    return f'`"{key.default}"`' if isinstance(key.default, str) else f"`{key.default}`"


def field_table() -> str:
    """Return what a definition may say, with the words of the admin's form."""
    from workerd.models import Job

    rows = ["| field | default | is |", "|---|---|---|"]
    for name, default in DEFAULTS.items():
        field: Any = Job._meta.get_field(name)
        words = f" One of {', '.join(f'`{word}`' for word in CHOICES[name])}." if name in CHOICES else ""
        rows.append(f"| `{name}` | `{_field(name, default)}` | {field.help_text}{words} |")
    return "\n".join([*rows, ""])


def supervisor_table() -> str:
    sections = {f"[{name}]": fate for name, fate in supervisor_tables.SECTIONS.items()}
    return fate_table("of supervisor", {**sections, **supervisor_tables.PROGRAM})


def cron_table() -> str:
    return fate_table("of cron", {**cron_variables.VARIABLES, "any other": cron_variables.ANY_OTHER})


def systemd_table() -> str:
    tables = {name: fate for table in reversed([*unit_directives.TABLES.values()]) for name, fate in table.items()}
    classes = {f"every `{name}…`": fate for _, names, fate in unit_directives.CLASSES for name in names.split()}
    return fate_table("of systemd", {**tables, **classes})


def fate_table(title: str, directives: Mapping[str, Directive]) -> str:
    """Return a row for each fate that directives share."""
    shared: dict[Directive, list[str]] = {}
    for name, directive in directives.items():
        shared.setdefault(directive, []).append(name if " " in name else f"`{name}`")
    rows = [f"| {title} | becomes |", "|---|---|"]
    for directive, names in shared.items():
        is_field = directive.fate is Fate.MAPPED and directive.says in DEFAULTS
        rows.append(f"| {', '.join(names)} | {f'`{directive.says}`' if is_field else _told(directive)} |")
    return "\n".join([*rows, ""])


def _told(directive: Directive) -> str:
    first = {Fate.MAPPED: "", Fate.SERVICE: "the service's own: ", Fate.DROPPED: "nothing: ", Fate.BLOCKS: "no job: "}
    return f"{first[directive.fate]}{directive.says}".rstrip(".")


def alert_table() -> str:
    """Return the kinds of alerts."""
    rows = ["| kind | severity | says | |", "|---|---|---|---|"]
    for name, kind in ALERT_KINDS.items():
        marks = {"the fleet's": kind.fleet, "has no end": kind.over_at_once}
        rows.append(
            f"| `{name}` | {kind.severity} | {kind.says} | {', '.join(m for m, is_so in marks.items() if is_so)} |"
        )
    return "\n".join([*rows, ""])


TABLES: dict[str, tuple[str, Callable[[], str]]] = {
    "alerts": ("alerts.md", alert_table),
    "events": ("operations.md", event_table),
    "settings": ("settings.md", settings_table),
    "fields": ("definitions.md", field_table),
    "supervisor": ("moving.md", supervisor_table),
    "cron": ("moving.md", cron_table),
    "systemd": ("moving.md", systemd_table),
}


def split_at_table(name: str) -> tuple[str, str, str]:
    """Return what a page has before its table, the table, and what follows."""
    head, _, rest = (DOCS / TABLES[name][0]).read_text().partition(f"<!-- {name} -->\n")
    table, _, tail = rest.partition(f"<!-- end of {name} -->")
    return head, table, tail


@pytest.mark.parametrize("name", TABLES)
def test_the_page_has_the_table_as_the_code_has_it(name: str) -> None:
    assert split_at_table(name)[1] == TABLES[name][1]()


def test_the_page_of_upgrades_names_the_settings_that_need_a_restart() -> None:
    (row,) = re.findall(r"^\| (`NAME`.*?) of `WORKERD` \|", (DOCS / "upgrading.md").read_text(), re.MULTILINE)

    assert set(re.findall(r"`(\w+)`", row)) == {name for name, key in KEYS.items() if acts_at(key) == "a restart"}


def test_the_page_names_each_setting_of_django_that_the_code_reads() -> None:
    code = "".join(path.read_text() for path in (DOCS.parent / "workerd").rglob("*.py"))
    read = set(re.findall(r"\bsettings\.([A-Z][A-Z_]+)", code)) - {"SETTINGS_MODULE"}  # says whose settings they are
    page = (DOCS / "settings.md").read_text().partition("## Django's own settings")[2]

    assert read - set(re.findall(r"`([A-Z_]+)`", page)) == set()


def test_the_pages_call_the_app_and_its_rows_as_the_admin_does() -> None:
    from workerd.models import Job

    title = f"{apps.get_app_config('workerd').verbose_name} › {capfirst(str(Job._meta.verbose_name_plural))}"
    pages = [*DOCS.glob("*.md"), DOCS.parent / "README.md"]
    named = [(page.name, found) for page in pages for found in re.findall(r"\*([^*\n]+ › [^*\n]+)\*", page.read_text())]

    assert {found for _, found in named} == {title}, named


def test_the_page_has_every_verb_and_no_other() -> None:
    from workerd.management.verbs_of_people import VERBS

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
    import django
    from django.conf import settings

    settings.configure(INSTALLED_APPS=["workerd"])
    django.setup()
    for table, (page, make) in TABLES.items():
        head, _, tail = split_at_table(table)
        (DOCS / page).write_text(f"{head}<!-- {table} -->\n{make()}<!-- end of {table} -->{tail}")

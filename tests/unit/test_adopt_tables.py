"""Every directive of the formats has exactly one fate, and every one that is mapped is taken."""

import ast
import inspect
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.unit.test_adopt_files import context
from workerd.adopt import cron_variables, procfile, supervisor_table
from workerd.adopt.fates import Directive, Fate
from workerd.adopt.supervisor import read
from workerd.wire.spec import JobSpec

TABLES: Mapping[str, Mapping[str, Directive]] = {
    "supervisor's programs": supervisor_table.PROGRAM,
    "supervisor's sections": supervisor_table.SECTIONS,
    "cron's variables": cron_variables.VARIABLES,
    "a Procfile's names": procfile.TYPES,
}
FIELDS = {*JobSpec._fields, "notes"}
PROGRAM = supervisor_table.PROGRAM
IS_MAPPED = {name: fate.fate is Fate.MAPPED for name, fate in PROGRAM.items()}


def constants(node: ast.AST) -> Iterator[str]:
    yield from (
        found.value for found in ast.walk(node) if isinstance(found, ast.Constant) and isinstance(found.value, str)
    )


@pytest.fixture
def options() -> Any:
    """The module of supervisor that reads its files, where supervisor is installed."""
    return pytest.importorskip("supervisor.options")


def directives_of_supervisor(options: Any) -> set[str]:
    """Return what supervisor's own code asks a program's section for."""
    source = "class Reader:\n" + inspect.getsource(options.ServerOptions._processes_from_section)
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "get":
            option = node.args[1]
            names |= {option.value} if isinstance(option, ast.Constant) else set()
        elif isinstance(node, ast.BinOp) and isinstance(node.left, ast.Constant) and "_" in str(node.left.value):
            names |= {str(node.left.value) % stream for stream in ("stdout", "stderr") if "%s_" in str(node.left.value)}
    return {str(name) for name in names}


def sections_of_supervisor(options: Any) -> set[str]:
    """Return the sections that supervisor's own code looks for: those of the server, of programs and of the client."""
    found = set()
    for text in constants(ast.parse(Path(str(options.__file__)).read_text())):
        kind, colon, rest = text.partition(":")
        if colon and not rest and len(kind) > 1 and kind.replace("-", "").isalpha():  # "c:" is an option of getopt
            found.add(kind)
        elif text in ("include", "supervisord", "supervisorctl") or text.endswith("_http_server"):
            found.add(text)
    return found


def test_every_directive_that_supervisor_reads_of_a_program_has_a_fate(options: Any) -> None:
    assert directives_of_supervisor(options) == set(supervisor_table.PROGRAM)


def test_every_section_that_supervisor_looks_for_has_a_fate(options: Any) -> None:
    assert sections_of_supervisor(options) == set(supervisor_table.SECTIONS)


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_each_fate_says_its_field_or_its_reason(table: Mapping[str, Directive]) -> None:
    assert all(directive.says.endswith(".") for directive in table.values() if directive.fate is not Fate.MAPPED)
    assert all(isinstance(directive.fate, Fate) for directive in table.values())


@pytest.mark.parametrize("table", [supervisor_table.PROGRAM, cron_variables.VARIABLES], ids=["supervisor", "cron"])
def test_what_is_mapped_names_a_field_of_a_job(table: Mapping[str, Directive]) -> None:
    assert {directive.says for directive in table.values() if directive.fate is Fate.MAPPED} <= FIELDS


VALUES: Mapping[str, tuple[str, object]] = {
    "numprocs": ("3", 3),
    "directory": ("/srv", "/srv"),
    "umask": ("027", "027"),
    "autostart": ("false", False),
    "autorestart": ("false", "never"),
    "startsecs": ("7", 7.0),
    "stopsignal": ("QUIT", "QUIT"),
    "stopwaitsecs": ("40", 40.0),
    "environment": ("A=b", {"A": "b"}),
    "command": ("manage.py db_worker", "db_worker"),
}
SAID = {"exitcodes": "0,3"}
"""What is mapped to a field that another directive decides, and so is only said."""


@pytest.mark.parametrize(
    "option", [name for name, fate in supervisor_table.PROGRAM.items() if fate.fate is Fate.MAPPED]
)
def test_what_is_mapped_is_taken_into_its_field(option: str) -> None:
    written, value = VALUES.get(option, (SAID.get(option), None))
    rest = "" if option == "command" else "command=manage.py db_worker\n"

    result = read(Path("x.conf"), f"[program:a]\n{rest}{option}={written}\n", context([]))

    [job] = result.adopted
    if option in SAID:
        assert any("Exit code 3" in comment for comment in job.comments)
    else:
        assert job.values[PROGRAM[option].says] == value


@pytest.mark.parametrize("option", [name for name, is_mapped in IS_MAPPED.items() if not is_mapped])
def test_what_is_not_mapped_is_said_with_its_reason(option: str) -> None:
    text = f"[program:a]\ncommand=manage.py db_worker\n{option}=1\n"

    [job] = read(Path("x.conf"), text, context([])).adopted

    assert [
        comment for comment in job.comments if option in comment and supervisor_table.PROGRAM[option].says in comment
    ]
    assert set(job.values) == {"command", "restart"}

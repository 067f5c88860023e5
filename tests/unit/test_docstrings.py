"""A docstring names its subject, so that it reads right by itself in an editor's tooltip."""

import ast
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted(path for path in (ROOT / "workerd").rglob("*.py") if "migrations" not in path.parts)

NO_SUBJECT = re.compile(r"(What|Whatever|Which|Who|Whoever|Whose|So|It|They)\b")
OF_VALUES = re.compile(r"(Whether|How|When|Where|Why|These|Those|As|By|At|For|In)\b")
"""Such a word may describe a value, as “Whether the slot has ended” or “By pid, the births”, but no function."""


def docstrings(tree: ast.Module) -> Iterator[tuple[int, str, bool]]:
    """Yield the line and the text of each docstring, also of an attribute's, and whether it describes a value."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            if text := ast.get_docstring(node):
                yield node.body[0].lineno, text, is_property(node)
            for statement, after in pairwise(node.body):
                if isinstance(statement, ast.Assign | ast.AnnAssign) and (text := text_of(after)):
                    yield after.lineno, text, True


def is_property(node: ast.AST) -> bool:
    return isinstance(node, ast.FunctionDef) and any(
        isinstance(mark, ast.Name) and mark.id.endswith("property") for mark in node.decorator_list
    )


def text_of(statement: ast.stmt) -> str:
    value = statement.value if isinstance(statement, ast.Expr) else None
    return value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else ""


def without_subject(path: Path) -> list[tuple[int, str]]:
    return [
        (line, text.partition("\n")[0])
        for line, text, describes_value in docstrings(ast.parse(path.read_text()))
        if NO_SUBJECT.match(text) or (OF_VALUES.match(text) and not describes_value)
    ]


@pytest.mark.parametrize("path", MODULES, ids=[str(path.relative_to(ROOT)) for path in MODULES])
def test_a_docstring_of_the_product_names_its_subject(path: Path) -> None:
    assert without_subject(path) == [], "begin with what it is, or with what the function does"


def test_the_search_finds_those_that_do_not(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text(
        '"""What it is."""\n'
        "A = 1\n"
        '"""So many."""\n'
        "class Whole:\n"
        '    """A whole."""\n'
        "    @property\n"
        "    def is_whole(self):\n"
        '        """Whether it is whole."""\n'
        "    def part(self):\n"
        '        """How it is parted."""\n'
        "        self.a = 1\n"
        '        """It is a part."""\n'
    )

    assert without_subject(module) == [
        (1, "What it is."),
        (3, "So many."),
        (10, "How it is parted."),
        (12, "It is a part."),
    ]

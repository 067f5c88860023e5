"""What an operator reads says “process” and “start”: the code's own words for them are no operator's."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_WORDS = "nobody|somebody|anybody|born|newborn|births?|successors?|licen[cs]es?|child|children|survived"
OURS = re.compile(rf"(?<![./\w])({_WORDS})\b(?!/|\.[\w*])", re.IGNORECASE)
"""Not in a name or a path: child.exited, workerd/child/call.py."""


def sentences(path: Path) -> Iterator[tuple[int, str]]:
    """Yield every text of a module with more than one word, but for docstrings, also those of attributes."""
    tree = ast.parse(path.read_text())
    said = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    said |= {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            words = "".join(str(part.value) for part in node.values if isinstance(part, ast.Constant))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in said:
            words = node.value
        else:
            continue
        if " " in words.strip():
            yield node.lineno, words


MODULES = sorted(path for path in (ROOT / "workerd").rglob("*.py") if "migrations" not in path.parts)


@pytest.mark.parametrize("path", MODULES, ids=[str(path.relative_to(ROOT)) for path in MODULES])
def test_a_sentence_of_the_product_has_no_word_of_the_codes_own(path: Path) -> None:
    assert [found for found in sentences(path) if OURS.search(found[1])] == []


def test_the_search_finds_such_a_sentence(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text(
        '"""Born here."""\nA = f"nobody can be born: {x}"\nB = "child.born at child_started"\n"""A birth."""\n'
    )

    assert [line for line, words in sentences(module) if OURS.search(words)] == [2]

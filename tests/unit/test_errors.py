"""Whoever calls workerd catches everything that it raises by one class."""

import ast
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2] / "workerd"


def error_classes() -> dict[str, set[str]]:
    """Return every exception class of the product with the names of its bases."""
    found = {}
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef) and node.name.endswith("Error"):
                found[node.name] = {ast.unparse(base) for base in node.bases}
    return found


def test_every_exception_of_workerd_is_a_workerd_error() -> None:
    classes = error_classes()
    ours = {"WorkerdError"}
    while more := {name for name, bases in classes.items() if bases & ours} - ours:
        ours |= more

    assert set(classes) == ours
    assert len(ours) > 10

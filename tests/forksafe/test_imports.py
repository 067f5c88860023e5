"""The borders: what forksafe may import, and where it works."""

import ast
import sys
from pathlib import Path

import pytest

from .conftest import ROOT, run_program

HERE = pytest.mark.backends("sqlite")
ALLOWED = {"django", "structlog", *sys.stdlib_module_names}
ALLOWED_OF_OURS = ("workerd.wire", "workerd.conf", "workerd.errors")


def _imports(path: Path) -> list[str]:
    tree = ast.parse(path.read_text())
    names = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    return names + [
        node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level == 0
    ]


@HERE
@pytest.mark.parametrize("path", sorted((ROOT / "workerd" / "forksafe").glob("*.py")), ids=lambda path: path.name)
def test_forksafe_imports_django_wire_conf_and_errors_alone(path: Path) -> None:
    for name in _imports(path):
        assert name.partition(".")[0] in ALLOWED or name.startswith(ALLOWED_OF_OURS), f"{path.name} imports {name}"


@HERE
def test_forksafe_stays_in_its_room() -> None:
    everything = "import workerd.forksafe as f; [getattr(f, n) for n in f.__all__]"
    loaded = _loaded_by(everything) - _loaded_by("import workerd.conf, workerd.wire.events")

    assert {name for name in loaded if not name.startswith("workerd.forksafe")} == set()


def _loaded_by(code: str) -> set[str]:
    names = run_program([sys.executable, "-c", f"{code}; import sys; print(*sys.modules)"]).split()
    return {name for name in names if name.startswith("workerd")}


@HERE
def test_every_public_name_is_there() -> None:
    from workerd import forksafe

    assert sorted(forksafe._MODULES) == sorted(forksafe.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = forksafe.nothing

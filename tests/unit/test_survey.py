"""The survey of what a project leaves open looks at objects that are not ours: none of them may cost the start."""

import random
import sys
from pathlib import Path
from types import ModuleType

import pytest

from workerd.forkserver import survey
from workerd.forkserver.survey import find_left_open


class Lazy:
    """An object that would be made at its first touch, like those of Django and of werkzeug."""

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        raise RuntimeError("touched")


def add_module(monkeypatch: pytest.MonkeyPatch, name: str, **contents: object) -> None:
    module = ModuleType(name)
    vars(module).update(contents)
    monkeypatch.setitem(sys.modules, name, module)


def test_a_lazy_object_is_not_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    add_module(monkeypatch, "lazy", __file__=str(Path.cwd() / "lazy.py"), current=Lazy(), dice=random.Random())

    assert any("lazy.dice" in sentence for sentence in find_left_open())


@pytest.mark.parametrize("file", [Path.cwd() / "odd.py", None, 7])
def test_a_module_with_a_file_of_any_type(monkeypatch: pytest.MonkeyPatch, file: object) -> None:
    add_module(monkeypatch, "odd", __file__=file, dice=random.Random())

    assert any("odd.dice" in sentence for sentence in find_left_open()) == isinstance(file, Path)


@pytest.mark.parametrize("folder", ["lib/python3.13/site-packages", "lib/python3/dist-packages"])
def test_a_generator_of_an_installed_package_is_not_the_project_s(monkeypatch: pytest.MonkeyPatch, folder: str) -> None:
    installed = str(Path.cwd() / folder)
    monkeypatch.syspath_prepend(installed)
    add_module(monkeypatch, "bought", __file__=f"{installed}/bought.py", dice=random.Random())

    assert not any("bought.dice" in sentence for sentence in find_left_open())


def test_an_entry_that_is_no_module(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "replaced", Lazy())

    assert not any("not all found" in sentence for sentence in find_left_open())


def test_what_raises_is_said_and_the_rest_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def raise_error() -> list[object]:
        raise RuntimeError("of the project")

    monkeypatch.setattr(survey, "open_sockets", raise_error)
    add_module(monkeypatch, "plain", __file__=str(Path.cwd() / "plain.py"), dice=random.Random())

    found = find_left_open()

    assert any("not all found (sockets): RuntimeError('of the project')" in sentence for sentence in found)
    assert any("plain.dice" in sentence for sentence in found)

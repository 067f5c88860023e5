"""What a case is: a package, its command, and how it gets work. Both the tests and the project import this."""

import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import ModuleType

CASES = "tests.fidelity.cases"


@dataclass(frozen=True)
class Case:
    """One package and its command.

    Its module may have ``settings()``, which returns what the project's settings get, and ``define()``, which runs in
    the project and returns the function that hands out work: ``enqueue(name, seconds)``.
    """

    package: str
    command: str
    """As in a row: without ``manage.py``. ``{port}`` and ``{folder}`` are filled in."""
    requirements: tuple[str, ...]
    """What pip installs."""
    apps: tuple[str, ...] = ()
    needs: frozenset[str] = frozenset()
    """Servers: “redis”, “postgres”, “receiver” (of HTTP)."""
    quick: bool = False
    """Whether a run that is not slow has it, too."""
    apart: bool = False
    """Whether its packages need an environment of their own, as they do not go with the others’."""
    oldest: tuple[int, int] = (3, 11)
    """The oldest Python that it runs on."""
    beforehand: bool = False
    """Whether the work is handed out before the command starts, as the command ends when it is done."""
    long_s: float = 2.0
    """How long the work takes that is in hand at TERM, in seconds."""
    columns: tuple[str, ...] = ()
    """Columns (“table.column”) whose values tell what became of work: rows are counted by them."""
    environment: Mapping[str, str] = field(default_factory=dict)
    noise: tuple[str, ...] = ()
    """Patterns of what differs from run to run in the output, such as invented names."""
    chance: tuple[str, ...] = ()
    """Patterns of lines that a run may or may not have, by chance."""
    differs: Mapping[str, str] = field(default_factory=dict)
    """What differs on purpose, or is known to: an aspect, and a sentence for the table."""
    cannot: str = ""
    """Why it cannot be compared, if so; the table has the sentence."""
    shown: str = ""
    """The command as the table shows it; the command itself, if empty."""


def load_module(name: str) -> ModuleType:
    """Return the module of the case called ``name``."""
    return importlib.import_module(f"{CASES}.{name}")


def load(name: str) -> Case:
    """Return the case called ``name``."""
    case = load_module(name).CASE
    assert isinstance(case, Case)
    return case


def names() -> list[str]:
    """Return the names of all cases, which are those of their modules."""
    package = importlib.import_module(CASES)
    return sorted(module.name for module in pkgutil.iter_modules(package.__path__))

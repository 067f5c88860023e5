"""Finds what is wrong with the jobs that the code defines."""

from collections.abc import Iterator

from workerd.conf import SettingsError
from workerd.definitions.declared import PROJECT, Declared, read_declared

from .deadline import in_time

Problem = tuple[str, str]


def load_declared() -> Declared:
    """Return what the code defines; nothing where the settings cannot be read, which is told of elsewhere.

    Raises Hang.
    """
    try:
        with in_time("What the definitions name"):
            return read_declared()
    except SettingsError:
        return Declared()


def find_definition_problems(declared: Declared) -> Iterator[Problem]:
    """Yield one line for each fault and each warning, but for modules that do not load: those are the project's."""
    yield from (("error", str(fault)) for fault in declared.faults if fault.place != PROJECT)
    yield from (("warning", str(warning)) for warning in declared.warnings)

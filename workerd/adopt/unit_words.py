"""A unit's ``%n`` and ``$NAME`` are written out as systemd does it, as far as the unit's own file tells."""

import re
import shlex
from collections.abc import Mapping

from .unit_file import Unit

_SPECIFIER = re.compile(r"%(.?)", re.DOTALL)
_VARIABLE = re.compile(r"\$(?:(\$)|\{(\w+)\}|(\w+))", re.ASCII)


def fill_specifiers(text: str, unit: Unit) -> str:
    """Return ``text`` with its specifiers filled in. Raises ValueError with a phrase where one cannot be."""
    prefix, at, instance = unit.stem.partition("@")
    known = {"%": "%", "n": unit.name, "N": unit.stem, "p": prefix, "P": prefix}
    if not at or instance:
        known |= {"i": instance, "I": instance.replace("-", "/")}

    def fill(found: re.Match[str]) -> str:
        if found[1] in ("i", "I") and found[1] not in known:
            raise ValueError(
                f"holds {found[0]}, the instance of a template: write its value, or {{index}} where one job of several "
                "processes takes their place"
            )
        if found[1] not in known:
            raise ValueError(f"holds {found[0]}, which systemd fills in on the machine: write the value")
        return known[found[1]]

    return _SPECIFIER.sub(fill, text)


def fill_variables(line: str, variables: Mapping[str, str]) -> str:
    """Return a command line with the unit's variables filled in. Raises ValueError where one is not the unit's own."""

    def fill(found: re.Match[str]) -> str:
        name = found[2] or found[3]
        if name is None:
            return "$"
        if name not in variables:
            raise ValueError(f"holds the variable ${name}, which the unit does not set: write its value")
        return variables[name]

    return _VARIABLE.sub(fill, line)


def read_environment(values: list[str]) -> dict[str, str]:
    """Return the variables of ``Environment=``. Raises ValueError with a phrase."""
    variables = {}
    for value in values:
        try:
            words = shlex.split(value)
        except ValueError as error:
            raise ValueError("holds a quotation that does not end") from error
        for word in words:
            name, equals, text = word.partition("=")
            if not equals:
                raise ValueError("holds a word that is no NAME=value")
            variables[name] = text
    return variables

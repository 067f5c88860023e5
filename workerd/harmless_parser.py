"""A command's own parser without its effects: it says whether a line fits, and neither opens nor starts anything.

A row is judged where it is saved, in a web process; there an argument of ``FileType("w")`` would empty the file.
"""

import argparse
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from pathlib import Path, PurePath
from typing import Any
from uuid import UUID

_PURE_TYPES = (None, str, int, float, complex, bool, Decimal, Fraction, Path, PurePath, UUID)
"""A call of these does nothing but return or raise; any other type of an argument is the project's code."""


def make_harmless(parser: argparse.ArgumentParser) -> None:
    """Take from ``parser`` and its subcommands the types and actions that are code of others, and files of arguments.

    What they would refuse is refused when the command runs.
    """
    parser.fromfile_prefix_chars = None
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for subparser in action.choices.values():
                make_harmless(subparser)
            continue
        if not any(action.type is pure for pure in _PURE_TYPES):
            action.type = action.choices = None  # the choices are values that the type has made
        if type(action).__module__ != "argparse":
            action.__class__ = _Store


def reads_files_of_arguments(parser: argparse.ArgumentParser, words: Sequence[str]) -> bool:
    """Return whether one of ``words`` names a file with more of them, so that the line alone does not tell all."""
    return any(word[:1] in (parser.fromfile_prefix_chars or ()) for word in words if word)


class _Store(argparse.Action):
    """Stands in the place of an action of the project's own; it keeps that action's options and number of values."""

    def __call__(
        self,
        _parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        _option_string: str | None = None,
    ) -> None:
        setattr(namespace, self.dest, values)

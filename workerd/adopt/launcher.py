"""A program that only starts another one: how what it means for a job is found in its words."""

import re
from collections.abc import Callable
from typing import Protocol

from .context import Context
from .draft import Draft
from .not_adopted import NotAdoptedError

_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=.*", re.ASCII | re.DOTALL)


class Peeling(Protocol):
    """The access that a launcher has to the draft and to the project, while it reads its words."""

    @property
    def draft(self) -> Draft: ...

    @property
    def context(self) -> Context: ...

    def peel_in_shell(self, line: str) -> list[str]: ...


Launcher = Callable[[list[str], Peeling], list[str]]
"""Takes the words from the launcher on, tells the draft what they mean, and returns those of the program it starts."""


def is_assignment(word: str) -> bool:
    return _ASSIGNMENT.fullmatch(word) is not None


def take_assignments(words: list[str], draft: Draft, context: Context) -> list[str]:
    """Set the variables that stand first, and return the words after them."""
    for at, word in enumerate(words):
        if not is_assignment(word):
            return words[at:]
        name, _, value = word.partition("=")
        draft.set_variable(name, value, context)
    return []


def without_options(name: str, rest: list[str]) -> list[str]:
    if rest[:1] == ["--"]:
        return rest[1:]
    if rest and rest[0].startswith("-"):
        raise unknown_option(name, rest[0])
    return rest


def unknown_option(name: str, option: str) -> NotAdoptedError:
    return NotAdoptedError(f"“{name} {option}” has no counterpart: write the line without it, if the job can do so.")

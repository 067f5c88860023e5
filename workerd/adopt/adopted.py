"""A file that was read gives jobs, programs that are none, and notes on the file as a whole."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Adopted:
    """A program as a definition of a job. ``values`` are by field; durations are numbers of seconds."""

    name: str
    values: dict[str, Any]
    comments: list[str]
    """Sentences about what was not carried over, or has another meaning."""
    place: str


@dataclass(frozen=True, slots=True)
class Refused:
    """A program, or a part of the file, that cannot become a job as it stands."""

    name: str
    place: str
    reason: str


@dataclass(frozen=True, slots=True)
class Result:
    """Every program of a file is in ``adopted`` or in ``refused``, once."""

    adopted: list[Adopted] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """Sentences about the whole file."""

    def add(self, program: Adopted | Refused) -> None:
        if isinstance(program, Adopted):
            self.adopted.append(program)
        else:
            self.refused.append(program)


def told_users(users: Collection[str]) -> list[str]:
    """Return a note where the programs of a file run as more users than one; "" is whoever runs them all."""
    if len(users) < 2:  # one is the service's, or may become it
        return []
    names = " and ".join(user or "the user of supervisor" for user in users)
    return [f"The programs run as {names}; all jobs of one service run as its one user."]

"""Names for adopted jobs: slugs of the names that their programs have, each once."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from workerd.job_rules.texts import TEXT_LIMITS

from .adopted import Adopted

_MAX_SHOWN = 40


def slug(name: str) -> str:
    """Return ``name`` with a hyphen in place of each run of characters that a job's name may not have."""
    return re.sub(r"[^A-Za-z0-9_]+", "-", name).strip("-")[: TEXT_LIMITS["name"]] or "job"


def shortened(text: str) -> str:
    """Return the beginning of a line that has no name, to call it by."""
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"


def name_apart(programs: Iterable[Adopted]) -> Iterator[Adopted]:
    """Yield each program under a name of its own: “-2” follows a name that an earlier program has."""
    used: set[str] = set()
    for program in programs:
        name = next(name for name in _candidates(program.name) if name not in used)
        used.add(name)
        if name == program.name:
            yield program
        else:
            comment = f"The name {program.name} is taken."
            yield replace(program, name=name, comments=[*program.comments, comment])


def _candidates(name: str) -> Iterator[str]:
    yield name
    number = 2
    while True:
        ending = f"-{number}"
        yield name[: TEXT_LIMITS["name"] - len(ending)] + ending
        number += 1

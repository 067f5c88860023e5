"""One job as the code defines it, and what is wrong with one."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from workerd.wire.visible import visible


@dataclass(frozen=True, slots=True)
class Definition:
    """A job of the declared set.

    ``values`` holds the fields that the code says, as a row has them: durations are seconds. ``place`` says where the
    job stands first: "jobs.toml, line 12", or "shop.jobs.clean".
    """

    name: str
    values: Mapping[str, Any]
    place: str


@dataclass(frozen=True, slots=True)
class DefinitionFault:
    """A fault at one place of the code: a sentence that names the remedy."""

    place: str
    sentence: str

    def __str__(self) -> str:
        return visible(f"{self.place}: {self.sentence}")

"""A table: the values that one place of the code gives one job, before other places overlay them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from workerd.wire.visible import visible


@dataclass(frozen=True, slots=True)
class Table:
    """One table of a file, or one ``@job``, or what several of them come to.

    ``places`` says of values where each stands, as far as that is known; ``unread`` are fields whose value is unknown,
    as it could not be read.
    """

    name: str
    values: Mapping[str, Any]
    place: str
    places: Mapping[str, str] = field(default_factory=dict)
    unread: frozenset[str] = frozenset()
    is_mark: bool = False

    def place_of(self, key: str) -> str:
        return self.places.get(key, self.place)

    def overlaid(self, later: "Table") -> "Table":
        """Return this table with each field that the later one has in place of its own."""
        return Table(
            self.name,
            {**self.values, **later.values},
            self.place,
            {**self.places, **{key: later.place_of(key) for key in later.values}},
            (self.unread - later.values.keys()) | later.unread,
            self.is_mark,
        )


def said_of(job: str, sentence: str) -> str:
    return f"the job “{visible(job)}”: {sentence}"

"""The fields of a row from code that differ from what sync wrote, as far as the row itself tells. Pure."""

from dataclasses import dataclass
from typing import Any

from .plan import GIVEN_KEY, Row
from .rules import WAS_OFF, same


@dataclass(frozen=True, slots=True)
class Mark:
    """``said`` is what the code said at the last sync; ``is_accepted`` where an operator has left it at that."""

    said: Any
    is_accepted: bool = False


def find_marks(row: Row) -> dict[str, Mark]:
    """Return a mark for each field that differs; none for a row of the admin."""
    if not row.source:
        return {}
    given = row.synced.get(GIVEN_KEY, {})
    return {
        name: Mark(said, is_accepted=name in given and same(row.values[name], given[name]))
        for name, said in row.synced.items()
        if name in row.values and not same(row.values[name], said) and not (name == "enabled" and said is WAS_OFF)
    }

"""A record as it stands in the journal."""

import json
from typing import Any, NamedTuple


class Entry(NamedTuple):
    """A record in the journal; where ``row`` is None, the row of ``key`` is to be deleted."""

    position: int
    kind: str
    key: str
    version: int
    row: dict[str, Any] | None


def dump_row(row: dict[str, Any] | None) -> str | None:
    """Return ASCII JSON: it escapes NUL and lone surrogates, so SQLite takes what a database server would refuse."""
    return None if row is None else json.dumps(row, separators=(",", ":"))


def load_row(text: str | None) -> dict[str, Any] | None:
    return None if text is None else json.loads(text)

"""Statements on the journal that several steps share. Each is part of its caller's transaction."""

import sqlite3
from collections import Counter
from typing import Any

from workerd.wire.alerts import ALERT_KINDS

_ENDLESS = ", ".join(f"'{name}'" for name, kind in ALERT_KINDS.items() if kind.over_at_once)
_CLEAN = tuple(
    f"DELETE FROM alert WHERE {which} AND claim = ''"  # noqa: S608 - of ours
    " AND NOT EXISTS (SELECT 1 FROM delivery WHERE delivery.alert = alert.number)"
    for which in ("holds = 0", f"kind IN ({_ENDLESS})")
)


def end(sqlite: sqlite3.Connection, number: int, at: float) -> None:
    """Note that an alert is over; of one of the fleet's the table is to be asked who says so."""
    sqlite.execute(
        "UPDATE alert SET holds = 0, over_at = ?, claim = CASE claim WHEN '' THEN '' ELSE 'over' END WHERE number = ?",
        (at, number),
    )


def clean(sqlite: sqlite3.Connection) -> None:
    """Delete the alerts that are over, or have no end, once no way has to be told of them any more."""
    for statement in _CLEAN:
        sqlite.execute(statement)


def drop(sqlite: sqlite3.Connection, delivery: int) -> None:
    sqlite.execute("DELETE FROM delivery WHERE number = ?", (delivery,))


def hold(sqlite: sqlite3.Connection, way: str, counts: Counter[str]) -> None:
    """Have the next message by a way count these, by kind."""
    statement = "INSERT INTO held VALUES (?, ?, ?) ON CONFLICT (way, kind) DO UPDATE SET count = count + excluded.count"
    sqlite.executemany(statement, [(way, kind, count) for kind, count in counts.items() if count])


def take_held(sqlite: sqlite3.Connection, way: str) -> Counter[str]:
    """Return what the next message is to count, which is this one."""
    counts = Counter(dict(sqlite.execute("SELECT kind, count FROM held WHERE way = ?", (way,)).fetchall()))
    sqlite.execute("DELETE FROM held WHERE way = ?", (way,))
    return counts


def number_of(sqlite: sqlite3.Connection, query: str, *parameters: Any) -> int:
    """Return the number that a query finds, 0 where it finds none."""
    row = sqlite.execute(query, parameters).fetchone()
    return int(row[0]) if row else 0

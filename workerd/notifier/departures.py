"""Takes messages out of the journal: which one is next by a way, what it counts, and what follows from a try."""

import json
import sqlite3
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from . import rules
from .alert import Alert
from .rows import clean, drop, hold, take_held

_LEAVES = """
FROM delivery JOIN alert ON alert.number = delivery.alert
WHERE delivery.way = :way AND +alert.claim IN ('', 'mine') AND (delivery.told = 0 OR alert.holds = 0)
  AND (delivery.not_before <= :now OR delivery.not_before > :now + :longest)
"""
"""A time further ahead than any that was set was set before the clock was set back. “+” keeps a worse index away."""
_ANY = f"SELECT 1 {_LEAVES} LIMIT 1"
_NEXT = f"""
SELECT delivery.number, delivery.told, delivery.count, delivery.waits, delivery.held, alert.id, alert.key, alert.kind,
       alert.holds, alert.raised_at, alert.over_at, alert.body
{_LEAVES} ORDER BY alert.critical DESC, delivery.number LIMIT 1
"""
_WAIT = f"SELECT delivery.number, alert.kind {_LEAVES} AND delivery.told = 0 AND delivery.waits = 0"


@dataclass(frozen=True, slots=True)
class Parcel:
    """One message that a way is to send: the number of its delivery, and the alert."""

    number: int
    alert: Alert


class Departures:
    """Finds what leaves by the rules, and notes what became of it."""

    def __init__(self, node: str, quiet_s: float, per_hour: int) -> None:
        self._node = node
        self._quiet_s = quiet_s
        self._per_hour = per_hour
        self._longest = max(quiet_s, rules.RETRY_CAP_S)

    def any_due(self, sqlite: sqlite3.Connection, way: str, now: float) -> bool:
        return sqlite.execute(_ANY, self._bound(way, now)).fetchone() is not None

    def next(self, sqlite: sqlite3.Connection, way: str, now: float) -> tuple[Parcel | None, Counter[str]]:
        """Return the message that is due first, or, where the hour has had its number, what is held back, by kind."""
        bound = self._bound(way, now)
        times = [at for (at,) in sqlite.execute("SELECT at FROM leaving WHERE way = ?", (way,))]
        if not rules.may_leave(times, now, self._per_hour):
            return None, _make_wait(sqlite, bound)
        row = sqlite.execute(_NEXT, bound).fetchone()
        number, told, count, waits, held, id_, key, kind, holds, since, over_at, body = row
        counted = Counter(json.loads(held))
        if not told:
            counted += take_held(sqlite, way)
            if waits:
                counted += _fold(sqlite, way, number)
            sqlite.execute("UPDATE delivery SET held = ?, waits = 0 WHERE number = ?", (json.dumps(counted), number))
        alert = Alert(
            id=id_,
            state=rules.state_to_send(told=bool(told), holds=bool(holds)) or "raised",
            key=key,
            kind=kind,
            severity=rules.kind_of(kind).severity,
            node=self._node,
            since=since,
            at=since if holds else over_at,
            count=count,
            held_back=dict(counted),
            **json.loads(body),
        )
        return Parcel(number, alert), Counter()

    def note_sent(self, sqlite: sqlite3.Connection, way: str, parcel: Parcel, now: float) -> None:
        """Note that a message has left: a quiet time begins, and its end is to be told, where it has one."""
        alert = parcel.alert
        key = alert.key if alert.state != "resolved" else ""  # no quiet time follows the end of a matter
        sqlite.execute("INSERT INTO leaving VALUES (?, ?, ?)", (way, key, now))
        later = "SELECT number FROM alert WHERE key = ? AND id <> ?"  # raised anew while this one was on its way
        sqlite.execute(
            f"UPDATE delivery SET not_before = ? WHERE way = ? AND told = 0 AND alert IN ({later})",  # noqa: S608
            (rules.quiet_until(now, now, self._quiet_s), way, key, alert.id),
        )
        sqlite.execute("DELETE FROM leaving WHERE at < ?", (now - max(self._quiet_s, rules.HOUR_S),))
        if alert.state == "raised" and not rules.kind_of(alert.kind).over_at_once:
            told = "UPDATE delivery SET told = 1, count = 1, tries = 0, not_before = 0, held = '{}' WHERE number = ?"
            sqlite.execute(told, (parcel.number,))
        else:
            drop(sqlite, parcel.number)
        clean(sqlite)

    def note_failed(
        self, sqlite: sqlite3.Connection, way: str, parcel: Parcel, now: float, *, refused: bool
    ) -> float | None:
        """Return when the next try is due, or None where the message is set aside; the next one counts it."""
        query = "SELECT tries, COALESCE(tried_at, ?), held FROM delivery WHERE number = ?"
        found = sqlite.execute(query, (now, parcel.number)).fetchone()
        if found is None:
            return None
        tries, first_try, held = found
        follows = rules.after_failure(tries + 1, first_try, now, refused=refused)
        if follows.retry_at is None:
            hold(sqlite, way, Counter(json.loads(held)) + Counter({parcel.alert.kind: 1}))
            drop(sqlite, parcel.number)
            clean(sqlite)
        else:
            update = "UPDATE delivery SET tries = ?, tried_at = ?, not_before = ? WHERE number = ?"
            sqlite.execute(update, (tries + 1, first_try, follows.retry_at, parcel.number))
        return follows.retry_at

    def _bound(self, way: str, now: float) -> dict[str, Any]:
        return {"way": way, "now": now, "longest": self._longest}


def _make_wait(sqlite: sqlite3.Connection, bound: Mapping[str, Any]) -> Counter[str]:
    """Mark what the hour has no room for; return it by kind, as far as it was not marked before."""
    rows = sqlite.execute(_WAIT, bound).fetchall()
    sqlite.executemany("UPDATE delivery SET waits = 1 WHERE number = ?", [(number,) for number, _ in rows])
    return Counter(kind for _, kind in rows)


def _fold(sqlite: sqlite3.Connection, way: str, number: int) -> Counter[str]:
    """Take all that was held back beside this one out of the way's line; return it by kind."""
    query = """SELECT delivery.number, kind, held FROM delivery JOIN alert ON alert.number = delivery.alert
               WHERE way = ? AND told = 0 AND waits = 1 AND delivery.number <> ?"""
    counted: Counter[str] = Counter()
    rows = sqlite.execute(query, (way, number)).fetchall()
    for _, kind, held in rows:
        counted += Counter({kind: 1}) + Counter(json.loads(held))
    sqlite.executemany("DELETE FROM delivery WHERE number = ?", [row[:1] for row in rows])
    clean(sqlite)
    return counted

"""Puts what the daemon says into the journal: what is new, who is to be told, and what has no room."""

import json
import sqlite3
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence

from workerd.ledger.sanitize import clean_text
from workerd.wire.alerts import ALERT_KINDS, Severity
from workerd.wire.messages import AlertChanged

from . import rules
from .claim import Claim
from .rows import clean, drop, end, hold, number_of
from .rules import Heard

MOST_DELIVERIES = 10_000
MOST_ALERTS = 20_000
OLDEST_S = 30 * 86400.0
"""A way that has not heard after this time that an alert is over does not hear of it any more."""

Takes = Callable[[Severity, str, Mapping[str, str]], bool]
_FORGET_END = """
DELETE FROM delivery WHERE told = 1 AND alert IN (SELECT number FROM alert WHERE kind = ? AND raised_at < ?)
"""
_FORGET = "DELETE FROM alert WHERE kind = ? AND raised_at < ? AND number NOT IN (SELECT alert FROM delivery)"
_FIELDS = ("text", "public", "job", "slot", "run", "labels")


class Arrivals:
    """Writes what is new, for each of the ways that take it. ``on_the_way`` are the deliveries that are being sent."""

    def __init__(self, ways: Mapping[str, Takes], quiet_s: float, on_the_way: Collection[int]) -> None:
        self._ways = ways
        self._quiet_s = quiet_s
        self._on_the_way = on_the_way

    def take(self, sqlite: sqlite3.Connection, changes: Sequence[AlertChanged], life: str, now: float) -> int:
        """Put in all changes, each once; return how many deliveries were dropped for them."""
        kept = number_of(sqlite, "SELECT sequence FROM kept WHERE life = ?", life) if life else 0
        for change in changes:
            if life and change.sequence <= kept:
                continue  # the daemon has sent it again, as it has not heard that it is here
            kept = max(kept, change.sequence)
            self._apply(sqlite, change, now)
        if life:
            sqlite.execute("DELETE FROM kept WHERE life <> ?", (life,))
            sqlite.execute("INSERT OR REPLACE INTO kept VALUES (?, ?)", (life, kept))
        return _trim(sqlite)

    def forget(self, sqlite: sqlite3.Connection, now: float) -> int:
        """Delete what is for ways that the settings no longer have, and what is too old; return how many of the former.

        Only what outlives a daemon grows old: of all else the daemon says whether it holds.
        """
        marks = ", ".join("?" * len(self._ways))
        gone = f"WHERE way NOT IN ({marks})"
        dropped = sqlite.execute(f"DELETE FROM delivery {gone}", [*self._ways]).rowcount  # noqa: S608 - marks alone
        sqlite.execute(f"DELETE FROM held {gone}", [*self._ways])  # noqa: S608
        for name in (name for name, kind in ALERT_KINDS.items() if kind.outlives):
            for statement in (_FORGET_END, _FORGET):
                sqlite.execute(statement, (name, now - OLDEST_S))
        return dropped

    def _apply(self, sqlite: sqlite3.Connection, change: AlertChanged, now: float) -> None:
        query = "SELECT number, holds, raised_at FROM alert WHERE key = ? ORDER BY number DESC LIMIT 1"
        key = clean_text(change.key)  # as SQLite takes it
        number, holds, raised_at = sqlite.execute(query, (key,)).fetchone() or (0, 0, None)
        heard = rules.hear(change.kind, over=change.over, at=change.at, holds=bool(holds), raised_at=raised_at)
        if heard is Heard.OVER:
            end(sqlite, number, change.at)
        elif heard is Heard.RAISED:
            self._raise(sqlite, key, change, now)

    def _raise(self, sqlite: sqlite3.Connection, key: str, change: AlertChanged, now: float) -> None:
        kind = rules.kind_of(change.kind)
        ways = [way for way, takes in self._ways.items() if takes(kind.severity, change.job, change.labels)]
        number = sqlite.execute(
            "INSERT INTO alert (id, key, kind, critical, holds, raised_at, claim, body)"
            " VALUES (?, ?, ?, ?, 1, ?, ?, ?)",
            (
                str(uuid.uuid4()),
                key,
                clean_text(change.kind),
                kind.severity is Severity.CRITICAL,
                change.at,
                Claim.WANTED if kind.fleet and ways else Claim.NONE,
                json.dumps({name: getattr(change, name) for name in _FIELDS}),
            ),
        ).lastrowid
        for way in ways:
            count = 1 + self._take_over(sqlite, way, key)
            last = "SELECT MAX(at) FROM leaving WHERE way = ? AND key = ? AND at <= ?"
            (sent,) = sqlite.execute(last, (way, key, now)).fetchone()
            sqlite.execute(
                "INSERT INTO delivery (alert, way, count, not_before) VALUES (?, ?, ?, ?)",
                (number, way, count, rules.quiet_until(sent, now, self._quiet_s)),
            )

    def _take_over(self, sqlite: sqlite3.Connection, way: str, key: str) -> int:
        """Delete what was raised, is over, and was not sent: a newer alert of its key counts it; return the count."""
        # “+” keeps SQLite from an index that finds more rows; CROSS has it begin with the key
        query = """SELECT delivery.number, count, held FROM alert CROSS JOIN delivery ON delivery.alert = alert.number
                   WHERE +way = ? AND key = ? AND +told = 0 AND +holds = 0 AND +claim = ''"""
        counted = 0
        for number, count, held in sqlite.execute(query, (way, key)).fetchall():
            if number not in self._on_the_way:
                counted += count
                hold(sqlite, way, Counter(json.loads(held)))
                drop(sqlite, number)
        return counted


def settle(sqlite: sqlite3.Connection, holding: Collection[str], now: float, *, fleet: bool) -> None:
    """Note that of the fleet's matters, or of all others, these keys hold alone, and what outlives a daemon."""
    for number, key, kind in sqlite.execute("SELECT number, key, kind FROM alert WHERE holds = 1").fetchall():
        if key not in holding and not rules.outlived(kind) and rules.kind_of(kind).fleet is fleet:
            end(sqlite, number, now)
    clean(sqlite)


def _trim(sqlite: sqlite3.Connection) -> int:
    """Drop the oldest deliveries above the bound, and count them for the next message; return how many."""
    above = number_of(sqlite, "SELECT COUNT(*) FROM delivery") - MOST_DELIVERIES
    if above > 0:
        query = """SELECT delivery.number, way, kind, held, told FROM delivery
                   JOIN alert ON alert.number = delivery.alert ORDER BY told, delivery.number LIMIT ?"""
        for number, way, kind, held, told in sqlite.execute(query, (above,)).fetchall():
            hold(sqlite, way, Counter(json.loads(held)) + Counter({kind: 0 if told else 1}))
            drop(sqlite, number)
    if (more := number_of(sqlite, "SELECT COUNT(*) FROM alert") - MOST_ALERTS) > 0:
        oldest = "SELECT number FROM alert WHERE number NOT IN (SELECT alert FROM delivery) ORDER BY number LIMIT ?"
        sqlite.execute(f"DELETE FROM alert WHERE number IN ({oldest})", (more,))  # noqa: S608 - of ours
    clean(sqlite)
    return max(above, 0)

"""The messages that have still to leave, and by which way. Each call is one transaction of the journal."""

import json
import sqlite3
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from workerd.forksafe.events import emit
from workerd.wire.messages import AlertChanged

from .arrivals import MOST_DELIVERIES, Arrivals, Takes, settle
from .claim import Claim
from .departures import Departures, Parcel
from .rows import clean, number_of
from .store import AlertStore

SAY_EVERY_S = 60.0


class Unclaimed(NamedTuple):
    """An alert of the fleet's that the database is to be asked about, and its id so far."""

    number: int
    id: str
    key: str
    kind: str
    claim: str
    text: str


class Outbox:
    """Decides by the rules what leaves next. ``ways`` are their names, and what each takes. Times are wall seconds."""

    def __init__(self, store: AlertStore, ways: Mapping[str, Takes], node: str, quiet_s: float, per_hour: int) -> None:
        self._store = store
        self._on_the_way: set[int] = set()
        self._arrivals = Arrivals(ways, quiet_s, self._on_the_way)
        self._departures = Departures(node, quiet_s, per_hour)
        self._untold: dict[str, Counter[str]] = {}
        self._told_at: dict[str, float] = {}

    def start(self, now: float) -> None:
        """Forget ways that the settings no longer have, and what is too old."""
        dropped = self._store.do(lambda sqlite: self._arrivals.forget(sqlite, now))
        if dropped:
            emit("alert.trimmed", count=dropped, reason="they were to leave by ways that ALERTS no longer has")

    # what the daemon says

    def take(self, changes: Sequence[AlertChanged], life: str, now: float) -> None:
        """Put all changes into the journal, each once."""
        dropped = self._store.do(lambda sqlite: self._arrivals.take(sqlite, changes, life, now))
        if dropped:
            emit("alert.trimmed", count=dropped, reason=f"the journal holds {MOST_DELIVERIES} at the most")

    def settle(self, holding: Collection[str], now: float, *, fleet: bool) -> None:
        """Note that of the fleet's matters, or of all others, these keys hold alone, and what outlives a daemon."""
        self._store.do(lambda sqlite: settle(sqlite, holding, now, fleet=fleet))

    # what the ways do

    def next_for(self, way: str, now: float) -> Parcel | None:
        """Return what the way is to send now; None where nothing is due, or the hour has had its number."""
        if not self._store.do(lambda sqlite: self._departures.any_due(sqlite, way, now)):
            return None
        parcel, held_back = self._store.do(lambda sqlite: self._departures.next(sqlite, way, now))
        self._tell_held_back(way, held_back, now)
        if parcel is not None:
            self._on_the_way.add(parcel.number)
        return parcel

    def sent(self, way: str, parcel: Parcel, now: float) -> None:
        """Note that a message has left."""
        self._on_the_way.discard(parcel.number)
        self._store.do(lambda sqlite: self._departures.note_sent(sqlite, way, parcel, now))

    def failed(self, way: str, parcel: Parcel, now: float, *, refused: bool) -> float | None:
        """Note a try that failed; return when the next one is due, or None where the message is set aside."""
        self._on_the_way.discard(parcel.number)
        return self._store.do(lambda sqlite: self._departures.note_failed(sqlite, way, parcel, now, refused=refused))

    def unsent(self) -> int:
        """Return how many alerts have a message that has still to leave from here."""
        query = """SELECT COUNT(DISTINCT alert.number) FROM delivery JOIN alert ON alert.number = delivery.alert
                   WHERE alert.claim <> 'theirs' AND (delivery.told = 0 OR alert.holds = 0)"""
        return self._store.do(lambda sqlite: number_of(sqlite, query))

    def _tell_held_back(self, way: str, counts: Counter[str], now: float) -> None:
        """Log what was held back, once a minute at the most, as a flood of alerts is to be none of lines."""
        self._untold.setdefault(way, Counter()).update(counts)
        if self._untold[way] and not now - SAY_EVERY_S < self._told_at.get(way, 0.0) <= now:
            told = self._untold.pop(way)
            self._told_at[way] = now
            emit("alert.held_back", way=way, count=sum(told.values()), kinds=dict(told))

    # what the fleet's table says

    def unclaimed(self) -> list[Unclaimed]:
        """Return the alerts of the fleet's that the database has to be asked about, the oldest first."""
        query = """SELECT number, id, key, kind, claim, body FROM alert
                   WHERE claim IN ('wanted', 'over') ORDER BY number LIMIT 100"""
        rows = self._store.do(lambda sqlite: sqlite.execute(query).fetchall())
        return [
            Unclaimed(number, id_, key, kind, claim, json.loads(body)["text"])
            for number, id_, key, kind, claim, body in rows
        ]

    def claimed(self, number: int, claim: Claim, id_: str) -> None:
        """Note what the table says of an alert; its id is the fleet's from now on."""
        self._store.do(lambda sqlite: _note_claim(sqlite, number, claim, id_))


def _note_claim(sqlite: sqlite3.Connection, number: int, claim: Claim, id_: str) -> None:
    sqlite.execute("UPDATE alert SET id = ? WHERE number = ?", (id_, number))
    if claim in {Claim.GONE, Claim.ENDED, Claim.ENDED_UNSENT}:
        if claim is Claim.GONE:
            sqlite.execute("DELETE FROM delivery WHERE alert = ?", (number,))
        elif claim is Claim.ENDED:
            sqlite.execute("UPDATE delivery SET told = 1, not_before = 0 WHERE alert = ?", (number,))
        sqlite.execute("UPDATE alert SET claim = '' WHERE number = ?", (number,))
        clean(sqlite)
    else:  # it may be over meanwhile, and is asked about as such then
        sqlite.execute("UPDATE alert SET claim = ? WHERE number = ? AND claim = 'wanted'", (claim, number))

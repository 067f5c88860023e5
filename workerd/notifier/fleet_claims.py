"""Decides when the fleet's table is asked, in a thread of its own: a database that is out holds up no other alert."""

import time
from collections.abc import Callable

from workerd.forksafe.events import emit
from workerd.wire.backoff import Backoff

from .couriers import STUCK_S, TOO_LONG_S
from .departures import Parcel
from .fleet_alerts import Answer, FleetAlerts, Questions
from .outbox import Outbox
from .rules import kind_of
from .runner import Runner

ASK_EVERY_S = 5.0
"""How soon an alert that another node has claimed, and not sent yet, is asked about again."""
RETRY_S, RETRY_CAP_S = 1.0, 60.0


class FleetClaims:
    """The questions to the table, and the answers; it asks nothing while no alert is of the fleet's."""

    def __init__(self, table: FleetAlerts, outbox: Outbox, wake: Callable[[], None]) -> None:
        self._outbox = outbox
        self._runner: Runner[Questions, list[Answer]] = Runner("fleet", table.ask, wake)
        self._backoff = Backoff(RETRY_S, RETRY_CAP_S)
        self._ask_at = 0.0
        self._waiting: frozenset[int] = frozenset()
        self._sent: list[str] = []
        self._failing = False

    def start(self) -> None:
        self._runner.start()

    def note_sent(self, parcel: Parcel) -> None:
        """Have the table say that this one was sent."""
        if kind_of(parcel.alert.kind).fleet and parcel.alert.state == "raised":
            self._sent.append(parcel.alert.id)

    def turn(self) -> None:
        """Note the answers, and ask what there is to be asked."""
        self._collect()
        if self._runner.busy_for is not None or (self._failing and time.monotonic() < self._ask_at):
            return
        unclaimed = self._outbox.unclaimed()
        if time.monotonic() < self._ask_at:  # what waits for another node waits on; the others go at once
            unclaimed = [alert for alert in unclaimed if alert.number not in self._waiting or alert.claim == "over"]
        if unclaimed or self._sent:
            self._runner.give(Questions(unclaimed, tuple(self._sent)))

    def find_stuck(self) -> bool:
        """Log that the database hangs; return whether it has for too long."""
        seconds = self._runner.busy_for or 0.0
        if seconds > STUCK_S and not self._runner.said_stuck:
            self._runner.said_stuck = True
            emit("alert.stuck", way="fleet", seconds=round(seconds))
        return seconds > TOO_LONG_S

    def _collect(self) -> None:
        done = self._runner.collect()
        if done is None:
            return
        if done.result is None:
            if not self._failing:
                emit("alert.claim_failed", reason=f"{type(done.error).__name__}: {done.error}".strip()[:300])
            self._failing = True
            self._ask_at = time.monotonic() + self._backoff.next()
            return
        self._failing = False
        self._backoff.reset()
        self._sent = [id_ for id_ in self._sent if id_ not in done.item.sent]
        for answer in done.result:
            self._outbox.claimed(answer.number, answer.claim, answer.id)
        self._waiting = frozenset(answer.number for answer in done.result if answer.claim == "wanted")
        if self._waiting:
            self._ask_at = time.monotonic() + ASK_EVERY_S

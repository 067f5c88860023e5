"""Keeps for the notifier what an operator must hear of: all that holds now, and what its journal does not have yet."""

from collections import deque
from itertools import islice

from workerd.daemon.rules.alerts import Alert
from workerd.daemon.rules.clock import Clock
from workerd.wire.alerts import ALERT_KINDS
from workerd.wire.messages import AlertChanged, AlertsListed
from workerd.wire.reasons import public_part

from .link import Link
from .log import EventLog

MOST_KEPT = 10_000
"""While no notifier lives, the oldest beyond so many are dropped."""
MOST_TEXT = 2000
OUTBOX_MESSAGES = 64
"""The most that wait in the notifier's link. The others wait here."""


class AlertQueue:
    """Alerts by their key: one that holds is not raised again, and one that does not hold is not over."""

    def __init__(self, log: EventLog, clock: Clock) -> None:
        self._log = log
        self._clock = clock
        self._sequence = 0
        self._holding: dict[str, AlertChanged] = {}
        self._over: set[str] = set()
        """The keys that this daemon has said to be over, though an earlier one may have raised them."""
        self._kept: deque[AlertChanged] = deque()
        """The messages that the notifier's journal does not have, in the order of sequences."""
        self._sent = 0
        """How many of them, from the left, this notifier was sent."""
        self._listed = False
        """Whether this notifier was told that it knows all that holds."""

    def raise_alert(self, alert: Alert) -> None:
        """Have the notifier say that ``alert`` holds from now on; nothing where it holds already."""
        if alert.key in self._holding:
            return
        self._over.discard(alert.key)
        message = self._message(alert, over=False)
        if not ALERT_KINDS[alert.kind].over_at_once:
            self._holding[alert.key] = message
        self._keep(message)

    def end_alert(self, alert: Alert) -> None:
        """Have the notifier say that ``alert`` is over, where it holds, or outlives the daemon that has raised it."""
        outlives = ALERT_KINDS[alert.kind].outlives and alert.key not in self._over
        if self._holding.pop(alert.key, None) is not None or outlives:
            if ALERT_KINDS[alert.kind].outlives:
                self._over.add(alert.key)
            self._keep(self._message(alert, over=True))

    def holds(self, key: str) -> bool:
        """Return whether the alert with this key holds."""
        return key in self._holding

    # the notifier

    def begin_anew(self) -> None:
        """Send a new notifier all that holds, and what the one before has not kept."""
        known = {message.sequence for message in self._kept}
        lost = [message for message in self._holding.values() if message.sequence not in known]
        self._kept = deque(sorted((*lost, *self._kept), key=lambda message: message.sequence))
        self._sent, self._listed = 0, False

    def flush(self, link: Link, *, complete: bool) -> None:
        """Send as much as the link takes now; ``complete`` says that what holds is known by now."""
        room = max(0, OUTBOX_MESSAGES - link.waiting)
        for message in tuple(islice(self._kept, self._sent, self._sent + room)):
            link.send(message)
            self._sent += 1
        if complete and not self._listed and self._sent == len(self._kept):
            self._listed = True
            link.send(AlertsListed())

    def acknowledge(self, sequence: int) -> None:
        """Forget what is in the notifier's journal, up to ``sequence``."""
        while self._sent and self._kept[0].sequence <= sequence:
            self._kept.popleft()
            self._sent -= 1

    @property
    def unkept(self) -> int:
        """How many messages are not in the notifier's journal yet."""
        return len(self._kept)

    def _keep(self, message: AlertChanged) -> None:
        self._kept.append(message)
        if len(self._kept) > MOST_KEPT:
            self._kept.popleft()
            self._sent = max(0, self._sent - 1)
            self._log.emit("alerts.dropped", reason=f"more than {MOST_KEPT} wait for the notifier")

    def _message(self, alert: Alert, *, over: bool) -> AlertChanged:
        self._sequence += 1
        return AlertChanged(
            sequence=self._sequence,
            key=alert.key,
            kind=alert.kind,
            over=over,
            at=self._clock.wall(),
            text=str(alert.text)[:MOST_TEXT],
            public=public_part(alert.text)[:MOST_TEXT],
            **alert.about,
        )

"""The notifier's loop: it journals the daemon's alerts, answers that they are kept, and has each way send them."""

import math
import time
from contextlib import suppress

from workerd.alert_entries import AlertEntry
from workerd.conf import Settings, get_settings
from workerd.errors import WorkerdError
from workerd.forksafe.events import emit
from workerd.wire import exit_codes
from workerd.wire.channel import Channel
from workerd.wire.messages import AlertChanged, AlertsKept, AlertsListed, AlertsUnsent, License, Message
from workerd.wire.page import HeartbeatPage

from .couriers import Couriers
from .fleet_alerts import FleetAlerts
from .fleet_claims import FleetClaims
from .inbox import Inbox
from .outbox import Outbox
from .store import AlertStore, alerts_path
from .ways.all_ways import find_ways

TURN_S, IDLE_TURN_S = 1.0, 5.0
LAST_SECONDS = 2.0
COUNT_EVERY_S = 1.0
FLEET_GRACE_S = 60.0
"""After this time a new daemon's ledger has surely seen what is so of the fleet."""


class _DaemonGoneError(WorkerdError):
    """The daemon no longer reads the channel. The journal has what it has sent."""


def run_notifier(channel: Channel, page: HeartbeatPage, license: License) -> int:  # noqa: A002 - the wire's word
    """Run until the daemon closes the channel; return the exit code, which is FAILED where a way hangs for long."""
    return Notifier(channel, page, license, get_settings()).run()


class Notifier:
    """One process. Its main thread alone uses the journal; what may hang is in threads of its own."""

    def __init__(self, channel: Channel, page: HeartbeatPage, license: License, settings: Settings) -> None:  # noqa: A002
        self._channel = channel
        self._page = page
        self._life = license.life
        node = f"{license.node}@{license.host}"
        ways = find_ways(settings.alerts)
        _tell_refused(settings.alerts)
        path = alerts_path(settings.state_dir, settings.name) if settings.state_dir else None
        self._store = AlertStore(path)
        takes = {way.name: way.takes for way in ways}
        self._outbox = Outbox(self._store, takes, node, settings.alert_quiet_s, settings.alerts_per_hour)
        self._inbox = Inbox(channel)
        self._claims = FleetClaims(FleetAlerts(settings.database, node), self._outbox, self._inbox.wake)
        self._couriers = Couriers(ways, self._outbox, self._inbox.wake, self._claims.note_sent)
        self._said: set[str] = set()
        """The keys that the daemon has told this process to hold."""
        self._settle_fleet_at = math.inf
        self._received = self._answered = 0
        self._unsent = -1
        self._count_at = 0.0

    def run(self) -> int:
        self._outbox.start(time.time())
        self._couriers.start()
        self._claims.start()
        code = exit_codes.DONE
        with suppress(_DaemonGoneError):
            while not self._inbox.closed:
                self._page.beat()
                self._listen(TURN_S if self._unsent else IDLE_TURN_S)
                self._turn()
                self._answer()
                if self._couriers.find_stuck() | self._claims.find_stuck():
                    code = exit_codes.FAILED  # a thread cannot be ended: the next process has none that hangs
                    break
        if code == exit_codes.DONE:
            self._send_the_last()
        self._store.close()
        return code

    def _turn(self) -> None:
        self._store.mend()
        if time.monotonic() >= self._settle_fleet_at:
            self._settle_fleet_at = math.inf
            self._outbox.settle(self._said, time.time(), fleet=True)
        self._claims.turn()
        self._couriers.turn()

    def _listen(self, timeout_s: float) -> None:
        """Wait for messages, and have the journal keep them before anything else."""
        changes: list[AlertChanged] = []
        for message in self._inbox.read(timeout_s):
            if isinstance(message, AlertsListed):
                self._take(changes)
                changes = []
                self._outbox.settle(self._said, time.time(), fleet=False)
                self._settle_fleet_at = time.monotonic() + FLEET_GRACE_S
            else:
                changes.append(message)
                (self._said.discard if message.over else self._said.add)(message.key)
        self._take(changes)

    def _take(self, changes: list[AlertChanged]) -> None:
        if changes:
            self._outbox.take(changes, self._life, time.time())
            self._received = max(self._received, *(change.sequence for change in changes))

    def _answer(self) -> None:
        """Tell the daemon what is on disk, and how many alerts are unsent."""
        if self._received > self._answered and self._store.durable:
            self._answered = self._received
            self._send(AlertsKept(self._answered))
        now = time.monotonic()
        if now >= self._count_at and (unsent := self._outbox.unsent()) != self._unsent:
            self._unsent, self._count_at = unsent, now + COUNT_EVERY_S
            self._send(AlertsUnsent(unsent))

    def _send(self, message: Message) -> None:
        try:
            self._channel.send(message)
        except OSError as error:
            raise _DaemonGoneError from error

    def _send_the_last(self) -> None:
        """Send for two seconds at the most what is due; the journal has the rest for the next notifier."""
        deadline = time.monotonic() + LAST_SECONDS
        self._inbox.stop_reading()
        while (left := deadline - time.monotonic()) > 0:
            self._page.beat()
            self._turn()
            if not self._couriers.busy:
                break
            self._inbox.read(left)


def _tell_refused(entries: tuple[AlertEntry, ...]) -> None:
    for entry in entries:
        if not entry.is_usable:
            faults = [fault for fault in entry.faults if not fault.is_warning]
            reason = " ".join(f"It {fault.message}. {fault.remedy}" for fault in faults)
            emit("alert.way_refused", way=f"entry {entry.number}", reason=reason)

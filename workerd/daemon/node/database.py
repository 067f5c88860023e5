"""The database as the ledger last reported it: reached or out, since when, and why."""

from workerd.daemon.io.listeners import Listeners
from workerd.daemon.io.log import EventLog
from workerd.daemon.rules.clock import Clock
from workerd.wire.messages import DatabaseConnected, DatabaseLost, DatabaseRecovered
from workerd.wire.reasons import Reason


class Database:
    """``reachable`` is None while nothing is known: before a ledger has told, and while there is no ledger."""

    def __init__(self, log: EventLog, clock: Clock) -> None:
        self._log = log
        self._clock = clock
        self._lost_at = 0.0
        self.out_since: float | None = None
        """The wall time at which the outage began; None while there is none."""
        self.reachable: bool | None = None
        self.trouble = Reason("")
        self.vendor = ""
        self.on_lost: Listeners[[]] = Listeners()
        """Told when an outage begins."""
        self.on_recovered: Listeners[[]] = Listeners()
        """Told when the database is reached again after an outage."""

    def receive(self, message: DatabaseConnected | DatabaseLost | DatabaseRecovered) -> None:
        """Take what the ledger says of its database."""
        match message:
            case DatabaseLost():
                self.lose(Reason(message.reason, message.public))
            case DatabaseConnected():
                self._log.emit("ledger.connected", vendor=message.vendor, version=message.version)
                self.vendor = message.vendor
                if self.reachable is None:
                    self.reachable = True
            case DatabaseRecovered() if self.reachable is False:
                outage_s = round(self._clock.monotonic() - self._lost_at, 3)
                self._log.emit("ledger.recovered", outage_s=outage_s, caught_up=message.caught_up)
                self.reachable, self.trouble, self.out_since = True, Reason(""), None
                self.on_recovered()

    def lose(self, reason: Reason) -> None:
        """Count the database as out; an outage is logged once, however many ledgers see it."""
        begins = self.reachable is not False
        if begins:
            self._lost_at, self.out_since = self._clock.monotonic(), self._clock.wall()
            self._log.emit("ledger.lost", reason=reason)
        self.reachable, self.trouble = False, reason
        if begins:
            self.on_lost()

    def forget(self) -> None:
        """Take back that the database is reachable, as no ledger lives to say so. An outage stays one."""
        if self.reachable:
            self.reachable = None

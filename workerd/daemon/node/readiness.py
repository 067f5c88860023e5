"""When the daemon is up: each wanted slot has been started once, or the database that names them is out."""

from workerd.daemon.io.log import EventLog
from workerd.daemon.io.sd_notify import SdNotifier
from workerd.daemon.rules.clock import Clock
from workerd.daemon.slots.slot_set import SlotSet

from .ledger import Ledger


class Readiness:
    """Said once, to the log and to the service manager."""

    def __init__(self, log: EventLog, clock: Clock, sd_notifier: SdNotifier, slot_set: SlotSet, ledger: Ledger) -> None:
        self._log = log
        self._clock = clock
        self._sd_notifier = sd_notifier
        self._slot_set = slot_set
        self._ledger = ledger
        self._since = clock.monotonic()
        self.reached = False

    def look(self) -> None:
        """At the end of a turn: say it as soon as it is so."""
        if self.reached:
            return
        wanted = [slot for slot in self._slot_set.job_slots() if slot.wanted]
        all_started = self._ledger.listed and all(slot.started_once for slot in wanted)
        if all_started or self._ledger.reachable is False:
            self.reached = True
            seconds = round(self._clock.monotonic() - self._since, 3)
            self._log.emit("daemon.ready", slots=len(wanted), seconds=seconds)
            self._sd_notifier.ready()

"""The line that ``systemctl status`` shows: how many slots run, and how the database is."""

from typing import TYPE_CHECKING

from workerd.daemon.io.loop import Loop, Timer
from workerd.wire.words import State

if TYPE_CHECKING:
    from workerd.daemon.daemon import Daemon

REST_S = 0.5
"""However much changes, the line is drawn no more often than this."""


class StatusLine:
    """Told that something may have changed, it says how things are a moment later; silent where nobody listens."""

    def __init__(self, loop: Loop, daemon: "Daemon") -> None:
        self._loop = loop
        self._daemon = daemon
        self._timer: Timer | None = None

    def wake(self) -> None:
        """Something may have changed."""
        if self._timer is None and self._daemon.sd_notifier.listened_to:
            self._timer = self._loop.call_in(REST_S, self._say)

    def _say(self) -> None:
        self._timer = None
        self._daemon.sd_notifier.status(self.text())

    def text(self) -> str:
        """Return the line."""
        daemon = self._daemon
        if daemon.shutdown.begun:
            return f"stopping: {daemon.shutdown.begun}"
        slots = list(daemon.slot_set.job_slots())
        states = [slot.state for slot in slots]
        parts = [f"{states.count(State.RUNNING)} of {sum(slot.wanted for slot in slots)} running"]
        if parked := states.count(State.PARKED):
            parts[0] += f", {parked} parked"
        return "; ".join([*parts, self._database()])

    def _database(self) -> str:
        ledger = self._daemon.ledger
        if ledger.reachable is None:
            return "database not known"
        return f"database reachable ({ledger.vendor})" if ledger.reachable else f"database OUT: {ledger.trouble}"

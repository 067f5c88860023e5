"""How the daemon ends: jobs first, then the ledger has written down everything, then the forkserver."""

from typing import TYPE_CHECKING

from workerd.daemon.io.log import EventLog
from workerd.daemon.io.loop import Loop
from workerd.daemon.rules.facts import Fact
from workerd.daemon.slots.effects import KILL_PATIENCE_S
from workerd.daemon.slots.lifecycle import ALIVE
from workerd.daemon.slots.slot import LiveSlot
from workerd.wire import exit_codes
from workerd.wire.words import State

if TYPE_CHECKING:
    from workerd.daemon.daemon import Daemon

DRAIN_PATIENCE_S = 5.0
FORKSERVER_PATIENCE_S = 2.0
REVIVALS = 3


class Shutdown:
    """Begun by a signal or an order, goes on at the end of each turn until nothing of ours is left."""

    def __init__(self, loop: Loop, log: EventLog, daemon: "Daemon") -> None:
        self._loop = loop
        self._log = log
        self._daemon = daemon
        self._draining = False
        self._replacing = False
        """The ledger took too long, and had not even journalled all: another one does."""
        self._closing = False
        self._revivals = 0
        self.begun = ""
        self.exit_code = exit_codes.DONE

    def begin(self, reason: str, exit_code: int = exit_codes.DONE) -> None:
        """Ask every job to stop, all at once; asked again, wait for nothing."""
        daemon = self._daemon
        if self.begun:
            self._insist(reason)
            return
        self.begun, self.exit_code = reason, exit_code
        self._log.emit("daemon.stopping", reason=reason)
        patience = max((slot.spec.stop_timeout for slot in daemon.slot_set.job_slots()), default=0.0)
        daemon.sd_notifier.stopping(patience + DRAIN_PATIENCE_S + FORKSERVER_PATIENCE_S + KILL_PATIENCE_S)
        daemon.lifecycle.stopping = True
        for slot in daemon.slot_set.job_slots():
            daemon.lifecycle.want(slot, False)

    def go_on(self) -> None:
        """Take the next step if the one before is done."""
        daemon = self._daemon
        if any(slot.state in ALIVE and not slot.unkillable for slot in daemon.slot_set.job_slots()):
            return
        if not self._draining:
            self._draining = True
            daemon.slot_set.write_rows()
            if daemon.ledger.drain() or daemon.records.unacknowledged:
                self._loop.call_in(DRAIN_PATIENCE_S, self._drain_is_overdue)
            else:
                self._dismiss_builtins()
        self._see_to_ledger()
        if not self._closing and all(
            not one.wanted and one.state is State.STOPPED for one in daemon.slot_set.builtins()
        ):
            self._closing = True
            daemon.births.close()
            daemon.generations.close()
            self._loop.call_in(FORKSERVER_PATIENCE_S, daemon.generations.kill)
        if self._closing and not any(daemon.generations.processes()) and not self._left():
            self._loop.stop()

    def _see_to_ledger(self) -> None:
        """Let none be lost of what no ledger has journalled yet: between two lives the next one is born at once."""
        slot, unsafe = self._daemon.ledger_slot, self._daemon.records.unacknowledged
        if slot.wanted and slot.state is State.BACKOFF and unsafe and self._revivals < REVIVALS:
            self._revivals += 1
            self._daemon.lifecycle.tell(slot, Fact.RESTART_ASKED)
        elif slot.wanted and self._replacing and not unsafe:
            self._dismiss_builtins()
            self._kill(slot, "its journal has all, and its database does not answer")

    def _insist(self, reason: str) -> None:
        """Kill what is left of the jobs; when they are gone, the ledger too: what it has not applied is in its journal.

        Before that it is spared: the jobs' ends are still to be written down.
        """
        daemon = self._daemon
        slots = [daemon.ledger_slot] if self._draining else daemon.slot_set.job_slots()
        if self._draining:
            self._dismiss_builtins()
        for slot in slots:
            self._kill(slot, f"a second {reason}")

    def _kill(self, slot: LiveSlot, reason: str) -> None:
        if slot.child is not None:
            slot.child.killed = True
            self._log.emit("child.killed", **slot.identity, reason=reason)
            slot.child.kill_group()

    def _left(self) -> bool:
        """Whether a child, or what one has left, is still there and can be waited for."""
        children = self._daemon.births.children.values()
        return self._daemon.leftovers.busy or any(child.slot is None or not child.slot.unkillable for child in children)

    def drained(self) -> None:
        """The ledger has written down all that it was told."""
        if self.begun and not self._daemon.records.unacknowledged:
            self._dismiss_builtins()

    def _drain_is_overdue(self) -> None:
        """What the database has not taken is in the journal, so nobody waits for it; or is not, where the ledger hangs.

        Then another ledger gets it, which reads before it asks.
        """
        slot = self._daemon.ledger_slot
        if not slot.wanted:
            return
        if self._daemon.records.unacknowledged and not self._replacing:
            self._replacing = True
            self._kill(slot, "it hangs, and has not journalled all")
            self._loop.call_in(DRAIN_PATIENCE_S, self._drain_is_overdue)
        else:
            self._say_what_is_lost()
            self._dismiss_builtins()
            self._kill(slot, "it had its time; what is left is in its journal")

    def _say_what_is_lost(self) -> None:
        """No ledger has taken these, neither this one nor one in its place: perhaps none could be born."""
        if count := self._daemon.records.unacknowledged:
            reason = f"{count} records of runs and slots are lost: no ledger could write them down"
            self._log.emit("daemon.degraded", reason=reason)

    def _dismiss_builtins(self) -> None:
        for slot in self._daemon.slot_set.builtins():
            self._daemon.lifecycle.want(slot, False)

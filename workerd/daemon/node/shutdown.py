"""Ends the daemon: first the jobs, then the ledger, once it has written down everything, then the forkserver."""

from workerd.daemon.rules.facts import Fact
from workerd.daemon.slots.effects import KILL_PATIENCE_S
from workerd.daemon.slots.slot import LiveSlot, slot_of
from workerd.wire import exit_codes
from workerd.wire.reasons import Reason, say

from .parts import Parts

DRAIN_PATIENCE_S = 5.0
FORKSERVER_PATIENCE_S = 2.0
REVIVALS = 3


class Shutdown:
    """Begun by a signal or an order; goes on at the end of each turn until no process of the daemon is left."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._loop = parts.loop
        self._log = parts.log
        self._draining = False
        self._replacing = False
        """The ledger took too long and had not journalled everything, so another one takes its place."""
        self._closing = False
        self._revivals = 0
        self.begun = ""
        """Why the daemon stops; "" while it does not."""
        self.exit_code = exit_codes.DONE
        parts.ledger.on_drained.add(self._drained)
        parts.lifecycle.on_entered.add(self._end_if_significant)

    def begin(self, reason: str, exit_code: int = exit_codes.DONE) -> None:
        """Ask every job to stop, all at once; when asked a second time, kill what is left."""
        parts = self._parts
        if self.begun:
            self._insist(reason)
            return
        self.begun, self.exit_code = reason, exit_code
        self._log.emit("daemon.stopping", reason=reason)
        patience = max((slot.spec.stop_timeout for slot in parts.slot_set.job_slots()), default=0.0)
        parts.sd_notifier.stopping(patience + DRAIN_PATIENCE_S + FORKSERVER_PATIENCE_S + KILL_PATIENCE_S)
        parts.lifecycle.stopping = say("the daemon is shutting down: ", reason)
        for slot in parts.slot_set.job_slots():
            parts.lifecycle.want(slot, False, parts.lifecycle.stopping)
        parts.fleet.drain(parts.lifecycle.stopping)

    def go_on(self) -> None:
        """Take the next step, at the end of a turn, if the one before is done."""
        parts = self._parts
        if any(slot.is_alive and not slot.unkillable for slot in parts.slot_set.job_slots()):
            return
        if parts.fleet.seats.is_releasing and parts.leftovers.busy:
            return  # each seat is to be another node's before the ledger ends
        if not self._draining:
            self._draining = True
            parts.slot_set.write_rows()
            if parts.ledger.drain() or parts.records.unacknowledged:
                self._loop.call_in(DRAIN_PATIENCE_S, self._drain_is_overdue)
            else:
                self._dismiss_builtins()
        self._see_to_ledger()
        if not self._closing and all(not slot.wanted and slot.is_stopped for slot in parts.slot_set.builtins()):
            self._closing = True
            parts.births.close()
            parts.generations.close()
            self._loop.call_in(FORKSERVER_PATIENCE_S, parts.generations.kill)
        if self._closing and not any(parts.generations.processes()) and not self._is_anybody_left():
            self._loop.stop()

    def _end_if_significant(self, slot: LiveSlot) -> None:
        """Stop the daemon where a significant job is parked, and the settings ask for that.

        What the fleet runs may run on another node, which a parked slot gives its seat to.
        """
        if (
            slot.is_parked
            and not slot.spec.is_fleet
            and slot.spec.significant
            and self._parts.config.exit_when_parked
            and not self.begun
        ):
            reason = say(f"{slot.name} is parked, and is significant: ", slot.reason)
            self.begin(reason, exit_codes.OWN_FAULT)

    def _see_to_ledger(self) -> None:
        """Lose no record that is not journalled yet: a ledger that ended is started again without its backoff."""
        slot, unsafe = self._parts.ledger.slot, self._parts.records.unacknowledged
        if slot.wanted and slot.is_in_backoff and unsafe and self._revivals < REVIVALS:
            self._revivals += 1
            self._parts.lifecycle.apply(slot, Fact.RESTART_ASKED)
        elif slot.wanted and self._replacing and not unsafe:
            self._dismiss_builtins()
            self._kill(slot, "the ledger has every record in its journal, and its database does not answer")

    def _insist(self, reason: str) -> None:
        """Kill what is left of the jobs; once they are gone, kill the ledger.

        Until then the ledger has the jobs' ends to write down; after that, what it has not applied is in its journal.
        """
        parts = self._parts
        slots = [parts.ledger.slot] if self._draining else parts.slot_set.job_slots()
        if self._draining:
            self._dismiss_builtins()
        for slot in slots:
            self._kill(slot, f"the daemon was told to stop a second time ({reason})")

    def _kill(self, slot: LiveSlot, reason: str) -> None:
        if slot.child is not None:
            slot.child.kill(self._log, reason)

    def _is_anybody_left(self) -> bool:
        """Return whether a child, or a process that one has left, is still there and can be waited for."""
        slots = [slot_of(child) for child in self._parts.births.children.values()]
        return self._parts.leftovers.busy or any(slot is None or not slot.unkillable for slot in slots)

    def _drained(self) -> None:
        """Dismiss the ledger, which has written down all that it was told."""
        if self.begun and not self._parts.records.unacknowledged:
            self._dismiss_builtins()

    def _drain_is_overdue(self) -> None:
        """Wait no longer: what the database has not taken is in the journal.

        A ledger that hangs has not journalled all. Another one takes its place, which journals before it does anything.
        """
        slot = self._parts.ledger.slot
        if not slot.wanted:
            return
        if self._parts.records.unacknowledged and not self._replacing:
            self._replacing = True
            self._kill(slot, "the ledger hangs before it has every record in its journal")
            self._loop.call_in(DRAIN_PATIENCE_S, self._drain_is_overdue)
        else:
            self._say_what_is_lost()
            self._dismiss_builtins()
            self._kill(
                slot,
                f"the ledger has not ended within {DRAIN_PATIENCE_S:g} s; what the database lacks is in its journal",
            )

    def _say_what_is_lost(self) -> None:
        """Log how many records no ledger has taken, neither this one nor one in its place."""
        if count := self._parts.records.unacknowledged:
            reason = "no ledger could write down these records of runs and slots"
            self._log.emit("records.lost", records=count, reason=reason)

    def _dismiss_builtins(self) -> None:
        for slot in self._parts.slot_set.builtins():
            self._parts.lifecycle.want(slot, False, Reason("the daemon is shutting down"))

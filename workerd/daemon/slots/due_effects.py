"""The effects of the table that are about due moments: taken, remembered, missed, and waited for."""

from workerd.daemon.processes.child import Child
from workerd.daemon.rules.dues import BEFORE_S, Due, Dues, Remembered
from workerd.daemon.rules.facts import Effect
from workerd.wire.reasons import Reason, say
from workerd.wire.words import Outcome, Trigger

from .due_records import SUPERSEDED, DueRecords, explain_lapse, explain_overlap
from .gate import Gate
from .lifecycle import Lifecycle
from .rows import rule_text
from .slot import LiveSlot
from .waiting import describe_rest


class DueEffects:
    """Keeps what each scheduled slot runs for; every moment that it gives up is recorded."""

    def __init__(self, lifecycle: Lifecycle, gate: Gate, due_records: DueRecords) -> None:
        self._lifecycle = lifecycle
        self._gate = gate
        self._due_records = due_records
        lifecycle.effects.update(
            {
                Effect.AWAIT: self._await,
                Effect.TAKE: lambda slot: self._take(slot, dues_of(slot).came),
                Effect.TAKE_REMEMBERED: self._take_remembered,
                Effect.REMEMBER: self._remember,
                Effect.MISS: self._miss,
                Effect.SUPERSEDE: self._supersede,
                Effect.SUPERSEDE_REMEMBERED: lambda slot: self._give_up_remembered(slot, SUPERSEDED),
                Effect.LAPSE: lambda slot: self._give_up_taken(slot, explain_lapse(slot)),
                Effect.CLEAR_DUES: self._clear,
            }
        )

    def begin(self, slot: LiveSlot, child: Child) -> None:
        """Note that ``child`` runs for what the slot has taken: the first time for the moment, or another time."""
        dues = slot.dues
        if dues is None or dues.taken is None:
            return
        child.due, child.trigger = dues.taken.moment, Trigger.RETRY if dues.begun else dues.taken.trigger
        if not dues.begun:
            child.run = dues.taken.run
            dues.begun, dues.gap = True, None
            if dues.taken.trigger != Trigger.OPERATOR:
                dues.account(dues.taken.moment)

    def _await(self, slot: LiveSlot) -> None:
        """Wait for the next due moment."""
        slot.disarm()
        self._gate.leave(slot)
        dues = dues_of(slot)
        self._clear_taken(dues)
        slot.started_once = True  # as far as it can be
        slot.next_start_wall = dues.next
        slot.reason = describe_rest(slot)

    def _take(self, slot: LiveSlot, due: Due | None) -> None:
        assert due is not None, f"{slot.name} has nothing to run for"
        dues = dues_of(slot)
        dues.taken, dues.begun, dues.registered = due, False, False
        dues.waits_since = due.moment
        slot.history.forgive()

    def _take_remembered(self, slot: LiveSlot) -> None:
        dues = dues_of(slot)
        due, dues.remembered = dues.remembered, None
        self._take(slot, due)
        dues.waits_since = slot.since_wall  # the run before it has just ended

    def _remember(self, slot: LiveSlot) -> None:
        dues = dues_of(slot)
        dues.remembered = dues.came

    def _miss(self, slot: LiveSlot) -> None:
        due = dues_of(slot).came
        assert due is not None
        self._due_records.miss(slot, due, explain_overlap(slot))

    def _supersede(self, slot: LiveSlot) -> None:
        dues = dues_of(slot)
        if dues.begun:  # its retries end here
            dues.outcome = slot.outcome
        self._give_up_taken(slot, SUPERSEDED)

    def _give_up_taken(self, slot: LiveSlot, reason: str) -> None:
        dues = dues_of(slot)
        if dues.taken is not None and not dues.begun:
            self._due_records.miss(slot, dues.taken, reason)
        self._clear_taken(dues)

    def _give_up_remembered(self, slot: LiveSlot, reason: str) -> None:
        dues = dues_of(slot)
        if dues.remembered is not None:
            self._due_records.miss(slot, dues.remembered, reason)
        dues.remembered = None

    def _clear(self, slot: LiveSlot) -> None:
        """Give up what was taken and remembered; at the daemon's end the next daemon sees to it."""
        dues = slot.dues
        if dues is None:
            return
        if self._lifecycle.stopping or (slot.spec.is_fleet and slot.is_meant and not slot.wanted):
            if dues.begun and slot.outcome is Outcome.FINISHED:
                self._clear_taken(dues)
            self._take_back(dues)
            if not self._lifecycle.stopping:
                self._leave(slot, dues)
            return
        stopped = slot.cause or slot.reason or Reason("its job was stopped")
        reason = explain_overlap(slot) if slot.is_parked else say("", stopped)
        self._give_up_taken(slot, reason)
        self._give_up_remembered(slot, reason)
        if not slot.wanted:
            dues.settled = dues.outcome = None  # whoever starts it again wants no moment made up for

    def _take_back(self, dues: Dues) -> None:
        """Leave to the next daemon what was written down as begun, and has not; its row is written anew then."""
        if dues.registered and not dues.begun and dues.taken is not None and dues.settled == dues.taken.moment:
            dues.settled -= BEFORE_S

    def _leave(self, slot: LiveSlot, dues: Dues) -> None:
        """Leave to whoever has the seat next what was not run for, or not brought to its end."""
        due = dues.taken.moment if dues.taken is not None and dues.begun else None
        dues.left = Remembered(rule_text(slot.spec), dues.settled, due, dues.last_success)
        self._clear_taken(dues)
        dues.remembered = None

    def _clear_taken(self, dues: Dues) -> None:
        dues.taken, dues.begun, dues.registered = None, False, False


def dues_of(slot: LiveSlot) -> Dues:
    """Return the slot's due moments, which the table says it has."""
    assert slot.dues is not None, f"{slot.name} has no schedule"
    return slot.dues

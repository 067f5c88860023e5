"""Accounts for due moments: what is not run for becomes a row of the history that says why, and an event."""

from collections.abc import Callable
from dataclasses import replace

from workerd.daemon.io.listeners import Listeners
from workerd.daemon.io.log import EventLog
from workerd.daemon.io.records import RecordQueue
from workerd.daemon.processes.child import Child
from workerd.daemon.rules.clock import Clock
from workerd.daemon.rules.dues import BEFORE_S, Due, Dues, Gap, gap_run
from workerd.daemon.rules.restart import EndedRun
from workerd.durations import format_duration
from workerd.wire.reasons import Reason, public_part, say
from workerd.wire.words import FAILURES, Outcome, Restart, State, Trigger

from .rows import iso_utc, missed_row, registered_row
from .slot import LiveSlot
from .slot_set import SlotSet, slot_key

EDITED = Reason("its row was edited")
WRITES_FIRST = Reason("the start is being written down first, as its row's restart is “never”")
NOTES_FIRST = Reason("the start is being noted with its seat first, so that no other node starts it as well")
SUPERSEDED = Reason("it came due again before it could start")


class DueRecords:
    """Notes what became of each due moment, and writes to the history what has no run of its own there."""

    def __init__(self, log: EventLog, records: RecordQueue, slot_set: SlotSet, clock: Clock, node: str) -> None:
        self._log = log
        self._records = records
        self._slot_set = slot_set
        self._clock = clock
        self._node = node
        self.is_noted: Callable[[LiveSlot, Due], bool] = lambda _slot, _due: True
        """Whether the fleet knows that the slot runs for a moment, as far as it is to be told first."""
        self.on_missed: Listeners[[LiveSlot]] = Listeners()
        """Told of each slot that nothing ran for at a time of its schedule."""

    def miss(self, slot: LiveSlot, due: Due, reason: str) -> None:
        """Record that nothing runs for ``due``."""
        self.miss_gap(slot, Gap(due.moment, due.moment, 1, run=due.run, trigger=due.trigger), reason)

    def miss_gap(self, slot: LiveSlot, gap: Gap, reason: str) -> None:
        """Record that nothing ran for any of the moments of ``gap``; those in a row share one row of the history."""
        assert slot.dues is not None
        dues = slot.dues
        if gap.trigger != Trigger.OPERATOR:  # an operator's moments are none of the schedule's
            dues.account(gap.last)
            dues.missed += gap.count
            if not slot.is_alive and reason != EDITED:  # a run that is longer than the interval is late, not ill
                dues.outcome = Outcome.MISSED
        first, last = iso_utc(gap.first), iso_utc(gap.last)
        self._log.emit("job.missed", **slot.place, due=first, last=last, count=gap.count, reason=reason)
        gap = replace(gap, reason=reason, run=gap.run or self._key(slot, gap.first))
        dues.missed_last = gap
        if not (dues.registered and dues.taken is not None and gap.run == dues.taken.run):  # its row is there already
            gap = dues.gap = gap if dues.gap is None else dues.gap.extended(gap)
        self._records.add("run", gap.run, missed_row(slot, gap))
        self._slot_set.note_change(slot)
        self.on_missed(slot)

    def note_end(self, slot: LiveSlot, child: Child, end: EndedRun) -> None:
        """Note what came of the moment that ``child`` ran for, unless it is tried again."""
        dues = slot.dues
        if dues is None:
            return
        if end.outcome is Outcome.FINISHED:
            dues.outcome, dues.last_success = end.outcome, self._clock.wall()
        elif end.outcome in FAILURES and (dues.taken is None or dues.taken.moment != child.due):
            dues.outcome = end.outcome

    def _key(self, slot: LiveSlot, moment: float) -> str:
        return gap_run("" if slot.spec.is_fleet else self._node, slot.spec.id or slot.spec.name, slot.index, moment)

    def hold_back(self, slot: LiveSlot) -> str:
        """Return what has to be on disk before a run begins, "" for nothing.

        A job that is never started again runs once at most for a due moment, also where the daemon is killed: the
        record of the run comes first. Of a seat the fleet is to know it first, as another node may have it next.
        """
        dues = slot.dues
        if dues is None or dues.taken is None or dues.begun:
            return ""
        if slot.spec.is_fleet and dues.taken.trigger != Trigger.OPERATOR and slot.spec.restart != Restart.NEVER:
            dues.registered = True
            dues.account(dues.taken.moment - BEFORE_S)  # itself once its run begins: else nobody may account for it
        if slot.spec.restart == Restart.NEVER and (reason := self._register(slot, dues)):
            return reason
        return "" if self.is_noted(slot, dues.taken) else NOTES_FIRST

    def _register(self, slot: LiveSlot, dues: Dues) -> str:
        assert dues.taken is not None
        if not dues.registered:
            dues.registered = True
            if dues.taken.trigger != Trigger.OPERATOR:
                # a kill may leave this row without the slot's: then the next daemon writes the same one again
                dues.taken = dues.taken._replace(run=self._key(slot, dues.taken.moment))
            due = dues.taken
            dues.account(due.moment)
            self._records.add("run", due.run, registered_row(slot, due, self._clock.wall()))
            self._slot_set.write_now(slot)
        safe = self._records.is_safe("run", dues.taken.run) and self._records.is_safe("slot", slot_key(slot))
        return "" if safe else WRITES_FIRST


def explain_overlap(slot: LiveSlot) -> str:
    """Return why nothing runs for the moment that came due."""
    if slot.state is State.PARKED:
        return say("it is parked: ", slot.reason)
    return Reason("the run before it goes on, and its row's overlap is “skip”")


def explain_lapse(slot: LiveSlot) -> Reason:
    """Return why a moment that was taken was not run for."""
    within = format_duration(slot.spec.start_within)
    own = f"it could not start within {within}, its row's start_within"
    if reason := slot.reason_before:
        return Reason(f"{own}: {reason}", f"{own}: {public_part(reason)}")
    return Reason(own)

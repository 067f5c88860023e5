"""The calendar: which slot is due when. It tells CAME_DUE on time, and settles what a jump of the clock has skipped."""

from collections.abc import Callable, Collection
from functools import partial

from workerd.daemon.io.log import EventLog
from workerd.daemon.io.loop import Loop
from workerd.daemon.rules.dues import SET_BACK_S, SHORTEST_S, Due, Dues, Gap, Remembered, Settled, Times, is_due, settle
from workerd.daemon.rules.facts import Fact
from workerd.wire.reasons import Reason
from workerd.wire.schedule import clear_zone_cache
from workerd.wire.words import Restart, Trigger

from .agenda import Agenda, Alarm
from .due_reasons import BEFORE_ITS_ROW, STOOD_STILL, without_daemon, without_seat
from .due_records import EDITED, SUPERSEDED, DueRecords
from .lifecycle import Lifecycle
from .rows import iso_utc, rule_text
from .slot import LiveSlot
from .timetable import Timetable

MOST_A_TURN = 20
"""Slots that are told in one turn that they are due."""
NOTHING = Settled(None, None)
NO_RULE = ("", "", 0.0)


class Calendar:
    """Keeps each slot's due moments in step with its row, with the clock and with what an earlier daemon has left."""

    def __init__(  # noqa: PLR0917 - the parts that it ties together
        self,
        loop: Loop,
        log: EventLog,
        lifecycle: Lifecycle,
        due_records: DueRecords,
        node: str,
        new_alarm: Callable[[Callable[[], None]], Alarm],
        parse: Callable[[str, str], Times],
    ) -> None:
        """``node`` makes the spread of a node's slots its own."""
        self._loop = loop
        self._log = log
        self._lifecycle = lifecycle
        self._due_records = due_records
        self._timetable = Timetable(parse, node)
        self._agenda = Agenda(new_alarm, self.look)
        self._began = loop.clock.wall()
        self._earlier: dict[tuple[int | None, int], Remembered] = {}
        self._ahead = self._measure_clock()
        """How far the wall clock was ahead of the monotonic one at the last look; less than that, it was set back."""
        self._has_corrected = False
        """Whether it was said that moments lay ahead; said anew after the clock was set back again."""
        lifecycle.keep_dues = self.keep

    # knowledge of an earlier daemon

    def remember(self, job_id: int | None, index: int, earlier: Remembered) -> None:
        """Take what an earlier daemon has left of a slot that this one has not made yet."""
        self._earlier[job_id, index] = earlier

    def remember_seat(self, job_id: int, index: int, left: Remembered) -> None:
        """Take what the holder before has left of a seat; of what this node knows itself, what is newer stays.

        This node may have run for a moment while the database was out, and been killed before the seat's row had it.
        """
        own = self._earlier.get((job_id, index))
        is_older = own is not None and own.rule == left.rule and (own.settled or 0.0) > (left.settled or 0.0)
        if left.settled is None or not is_older:
            self._earlier[job_id, index] = left

    def forget_earlier(self, but: Collection[int | None] = ()) -> None:
        """Regard every slot that is made from now on as new, ``but`` for jobs whose slots wait for their seats."""
        self._earlier = {place: left for place, left in self._earlier.items() if place[0] in but}

    # keeping in step

    def keep(self, slot: LiveSlot) -> None:
        """Bring a slot's due moments in step with its row and with whether it is wanted."""
        spec, dues = slot.spec, slot.dues
        if dues is not None and not (spec.schedule and slot.wanted):
            dues.rule, dues.next = NO_RULE, None
            if not spec.schedule and slot.child is None:
                self._end(slot, dues)
        if not (spec.schedule and slot.wanted):
            self._agenda.remove(slot)
            return
        self._agenda.add(slot)
        rule = (spec.schedule, spec.time_zone, spec.spread)
        is_new = dues is None
        if dues is None:
            dues = slot.dues = Dues()
        if dues.rule != rule:
            if dues.rule != NO_RULE and dues.remembered is not None and dues.remembered.trigger != Trigger.OPERATOR:
                self._due_records.miss(slot, dues.remembered, EDITED)
                dues.remembered = None
            dues.rule = rule
            self._begin(slot, dues, is_new=is_new)

    def _end(self, slot: LiveSlot, dues: Dues) -> None:
        for due in (dues.taken if not dues.begun else None, dues.remembered):
            if due is not None:
                self._due_records.miss(slot, due, EDITED)
        slot.dues = None

    def _begin(self, slot: LiveSlot, dues: Dues, *, is_new: bool) -> None:
        """Find the next moment from now on; for a slot that an earlier daemon had, settle the time between as well."""
        now = self._loop.clock.wall()
        earlier = self._earlier.pop((slot.spec.id, slot.index), None) or dues.left
        is_own, dues.left = earlier is dues.left, None
        if earlier is not None:
            dues.last_success = earlier.last_success
        taken_up = earlier is not None and earlier.rule == rule_text(slot.spec) and earlier.settled is not None
        dues.settled = earlier.settled if earlier is not None and taken_up else max(now, dues.settled or now)
        since = self._correct(dues, now)
        if not self._find_next(slot, dues):
            return
        if earlier is not None and taken_up:
            self._take_up(slot, earlier, since, now, is_own=is_own)
        elif earlier is None and is_new and dues.next is None and not slot.cause:  # else it was enabled, or started
            self._settle(slot, 0.0, now, lambda _: BEFORE_ITS_ROW)

    def _take_up(self, slot: LiveSlot, earlier: Remembered, since: float, now: float, *, is_own: bool) -> None:
        """Make up for what came due while nothing could run here, or for a run that was left unfinished.

        An earlier daemon has left that, or the holder of the seat before, or, where it is our own, this daemon.
        """
        if since < now and self._settle(slot, since, now, partial(self._why, slot, is_own)):
            return
        due = earlier.due
        if due is None or due > since or slot.spec.restart == Restart.NEVER:
            return
        in_time = now - due <= max(slot.spec.start_within, SHORTEST_S)
        if in_time and is_due(self._timetable.of(slot), due):  # an operator's moment is none of the schedule's
            self._tell(slot, Due.at(due, Trigger.CATCH_UP))

    def _why(self, slot: LiveSlot, is_own: bool, gap: Gap) -> Reason:
        """Return why nothing ran for the moments of a gap before now."""
        if slot.seat is None and not is_own:
            return without_daemon(gap, self._began)
        return without_seat(gap, self._began, slot.seat, is_same=is_own)

    def _correct(self, dues: Dues, now: float) -> float:
        """Return up to which moment everything is settled; what lies hours ahead was the fault of a clock."""
        assert dues.settled is not None
        if dues.settled - now >= SET_BACK_S:
            if not self._has_corrected:
                self._has_corrected = True
                self._log.emit("calendar.corrected", was=iso_utc(dues.settled), now=iso_utc(now))
            dues.settled = now
        return dues.settled

    # time passes

    def look(self) -> None:
        """Tell the slots that are due; whatever the clock did, each due moment comes to one end."""
        now = self._loop.clock.wall()
        before, self._ahead = self._ahead, self._measure_clock()
        if self._ahead < before - 1.0:
            self._has_corrected = False
            self.recompute()
        for slot, moment in self._take_due(now):
            self._loop.attempt(partial(self._came_due, slot, moment, now))

    def _measure_clock(self) -> float:
        return self._loop.clock.wall() - self._loop.clock.monotonic()

    def _came_due(self, slot: LiveSlot, moment: float, now: float) -> None:
        if not slot.wanted:  # another one's end may just have stopped the daemon
            return
        self._settle(slot, moment - 0.5, now, lambda _: STOOD_STILL)
        self._lifecycle.apply(slot, Fact.NEXT_CHANGED)

    def _take_due(self, now: float) -> list[tuple[LiveSlot, float]]:
        """Return the slots that are due, as many as a turn may have; each next moment is armed before any is told."""
        due: list[tuple[LiveSlot, float]] = []
        while len(due) < MOST_A_TURN and (found := self._agenda.pop(now)) is not None:
            due.append(found)
            self._loop.attempt(partial(self._go_on, found[0], now))  # one row's fault holds up no other
        if len(due) == MOST_A_TURN:
            self._loop.call_next(self.look)
        else:
            self._agenda.arm()
        return due

    def _go_on(self, slot: LiveSlot, now: float) -> None:
        if slot.dues is not None:
            slot.dues.next = self._timetable.of(slot).next_after(now)
            self._agenda.enter(slot)

    def read_zones_again(self) -> None:
        """Find every next moment by the rules that the machine has for its time zones now."""
        clear_zone_cache()
        self.recompute()

    def recompute(self) -> None:
        """Find every next moment anew, one in each turn: the clock was set back, or the zones' rules are others."""
        self._timetable.forget()
        for slot in self._agenda.slots():
            self._loop.call_next(partial(self._recompute, slot))

    def _recompute(self, slot: LiveSlot) -> None:
        dues = slot.dues
        if dues is None or dues.rule == NO_RULE:
            return
        if dues.next is not None and dues.next <= self._loop.clock.wall():
            return  # it has come, and is told by the next look, which finds the one after it
        self._find_next(slot, dues)
        self._lifecycle.apply(slot, Fact.NEXT_CHANGED)

    def _find_next(self, slot: LiveSlot, dues: Dues) -> bool:
        """Return whether the row has a schedule that can be read, and a zone of this machine; else it is refused."""
        now = self._loop.clock.wall()
        since = max(now, self._correct(dues, now), *dues.pending(now + SET_BACK_S))
        try:
            dues.next = self._timetable.of(slot).next_after(since)
        except ValueError:
            dues.next = None
            return False
        self._agenda.enter(slot)
        self._agenda.arm()
        return True

    def _settle(self, slot: LiveSlot, since: float, now: float, why: Callable[[Gap], Reason]) -> bool:
        """Run for the latest of the moments since then, if it may be, and record those that were missed."""
        settled = settle(self._timetable.of(slot), since, now, slot.spec.start_within)
        if settled.missed is not None:
            if settled.due is None:  # else the table gives up what waits, for the newer one
                self._give_up_remembered(slot)
            self._due_records.miss_gap(slot, settled.missed, why(settled.missed))
        if settled.due is not None:
            self._tell(slot, settled.due)
        return settled != NOTHING

    def _give_up_remembered(self, slot: LiveSlot) -> None:
        """Record what waits for the run before it as missed: those that came after it are too late already."""
        dues = slot.dues
        if dues is not None and dues.remembered is not None and dues.remembered.trigger != Trigger.OPERATOR:
            self._due_records.miss(slot, dues.remembered, SUPERSEDED)
            dues.remembered = None

    def _tell(self, slot: LiveSlot, due: Due) -> None:
        self._log.emit("job.due", **slot.place, due=iso_utc(due.moment), trigger=due.trigger.value)
        self._lifecycle.apply(slot, Fact.CAME_DUE, due=due)

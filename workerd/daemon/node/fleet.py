"""The fleet as this node takes part in it: the parts that deal with seats, tied to the ledger that holds them."""

from collections.abc import Callable, Sequence
from typing import Any

from workerd.daemon.io.listeners import Listeners
from workerd.daemon.io.log import EventLog
from workerd.daemon.io.loop import Loop
from workerd.daemon.processes.child import Child
from workerd.daemon.processes.generations import Generations
from workerd.daemon.processes.leftovers import Leftovers
from workerd.daemon.slots.agenda import Alarm
from workerd.daemon.slots.child_messages import ChildMessages
from workerd.daemon.slots.declines import Declines
from workerd.daemon.slots.due_calendar import Calendar
from workerd.daemon.slots.due_records import DueRecords
from workerd.daemon.slots.effects import Effects
from workerd.daemon.slots.elsewhere import SeatsOfOthers
from workerd.daemon.slots.gate import Gate
from workerd.daemon.slots.lifecycle import Lifecycle
from workerd.daemon.slots.seat_deadlines import SeatDeadlines
from workerd.daemon.slots.seat_dues import SeatDues
from workerd.daemon.slots.seat_news import SeatNews
from workerd.daemon.slots.seats import Seats
from workerd.daemon.slots.slot_set import SlotSet
from workerd.wire.messages import (
    DrainWeighed,
    Message,
    PassedOn,
    SeatNoted,
    SeatRemembered,
    SeatsElsewhere,
    SeatsHeld,
    SeatsStopped,
)
from workerd.wire.rollout_seat import ROLLOUT_JOB

from .database import Database
from .ledger import Ledger
from .rollout_seat import RolloutSeat

MOST_WAITING = 256
"""A ledger that has not taken so many messages gets no more news of seats: they are said again, or mean nothing."""


class Fleet:
    """Hears the ledger's words on seats, and tells it the node's; does nothing while there is no job of the fleet."""

    def __init__(  # noqa: PLR0917 - the parts that it ties together
        self,
        loop: Loop,
        log: EventLog,
        lifecycle: Lifecycle,
        slot_set: SlotSet,
        gate: Gate,
        effects: Effects,
        leftovers: Leftovers,
        generations: Generations,
        messages: ChildMessages,
        ledger: Ledger,
        database: Database,
        calendar: Calendar,
        due_records: DueRecords,
        new_alarm: Callable[[Callable[[], None]], Alarm],
    ) -> None:
        self._ledger = ledger
        self._effects = effects
        self._child: Child | None = None
        self.on_answer: Listeners[[Message]] = Listeners()
        """Told of the ledger's answers to what an order means in the fleet."""
        self.seats = Seats(loop.clock, log, lifecycle, slot_set)
        self.declines = Declines(lifecycle, slot_set, self.seats)
        self.elsewhere = SeatsOfOthers(loop.clock, lifecycle, slot_set, self.seats)
        self._deadlines = SeatDeadlines(loop, lifecycle, slot_set, self.seats, new_alarm)
        self._dues = SeatDues(
            loop, lifecycle, slot_set, self.seats, calendar, self._send, lambda: database.reachable is False
        )  # before the news: what a seat's times came to is written down before the seat is released
        due_records.is_noted = self._dues.is_noted
        self._news = SeatNews(loop, slot_set, self.seats, self.declines, self._send)
        self.rollout_seat = RolloutSeat(loop.clock, log, self._send)
        self.rollout_seat.on_wanted.add(self._news.begin)
        self._news.also_needed = lambda: self.rollout_seat.wanted
        self._news.on_again.add(self.rollout_seat.say_again)
        self.seats.is_told = lambda: ledger.listed
        effects.seat_obstacle = self.seats.obstacle
        gate.runs_elsewhere = self.elsewhere.has_holder
        effects.on_licensing.add(self.seats.license)
        leftovers.on_clean.add(self.seats.run_is_clean)
        generations.on_ready.add(lambda _replaced: self.declines.take_all_back())
        slot_set.on_whole.add(lambda: self.seats.settle_all(holding.place for holding in self.seats.holdings))
        messages.on_other.add(self._heard)
        ledger.on_started.add(self._ledger_started)

    def drain(self, reason: str) -> None:
        """Give every seat away for this ``reason``, and claim none; "" takes seats again."""
        self.seats.drain(reason)
        self._news.tell_draining()
        if reason:
            self.rollout_seat.end()

    def claim_none(self, reason: str) -> None:
        """Have the ledger claim no seat, for this ``reason``, and keep what is held; "" lets it claim again."""
        self.seats.claims_none = reason
        self._news.tell_draining()

    def _ledger_started(self) -> None:
        self._child = self._ledger.slot.child
        self._news.tell_all()
        self._dues.tell_all()

    def _heard(self, child: Child, message: Message) -> None:
        """Take a message; only the ledger's own child may send these."""
        if child is not self._child:
            return
        match message:
            case SeatsHeld():
                of_jobs, of_rollout = _parted(message.seats)
                self.seats.take(message.sent, of_jobs, whole=message.whole)
                self._effects.try_held_up()
                self.rollout_seat.take(message.sent, of_rollout, whole=message.whole)
            case SeatsElsewhere():
                of_jobs, of_rollout = _parted(message.seats)
                self.elsewhere.take(of_jobs)
                for _job, _index, reason, *_who in of_rollout:
                    self.rollout_seat.explain(reason)
            case SeatRemembered(job_id=job_id) if job_id == ROLLOUT_JOB:
                self.rollout_seat.remember(message)
            case SeatRemembered():
                self._dues.remember(message)
            case SeatNoted(job_id=job_id) if job_id == ROLLOUT_JOB:
                self.rollout_seat.noted(message)
            case SeatNoted():
                self._dues.note(message)
                self._effects.try_held_up()
            case SeatsStopped() | PassedOn() | DrainWeighed():
                self.on_answer(message)

    def tell(self, message: Message) -> bool:
        """Ask the ledger what an order means in the fleet; return False where there is none to ask."""
        child = self._child
        if child is None or not child.link.open:
            return False
        child.link.send(message)
        return True

    def _send(self, message: Message) -> None:
        child = self._child
        if child is not None and child.link.open and child.link.waiting < MOST_WAITING:
            child.link.send(message)


def _parted(seats: Sequence[list[Any]]) -> tuple[list[list[Any]], list[list[Any]]]:
    """Return the seats of jobs, and the one without a job."""
    return [seat for seat in seats if seat[0] != ROLLOUT_JOB], [seat for seat in seats if seat[0] == ROLLOUT_JOB]

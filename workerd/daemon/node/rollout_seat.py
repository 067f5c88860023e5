"""The seat of the fleet by which one node at a time drains or reloads, as this node wants it, holds it, leaves it."""

from collections.abc import Callable
from typing import Any, NamedTuple

from workerd.daemon.io.listeners import Listeners
from workerd.daemon.io.log import EventLog
from workerd.daemon.rules.clock import Clock
from workerd.daemon.rules.holdings import Change, Holding, Holdings
from workerd.wire.messages import Message, RolloutWanted, SeatNoted, SeatReleased, SeatRemembered, SeatSettled
from workerd.wire.reasons import Reason
from workerd.wire.rollout_seat import ROLLOUT

NOT_TOLD = Reason("the database has not told yet who has it")


class Memory(NamedTuple):
    """Left by a holder for its successor: how the last reload of the fleet went on its node."""

    words: str = ""
    settled: float | None = None
    """The order whose reload here has come to its end; an order is known by when it was given."""
    open: float | None = None
    """The order whose reload has not ended, or not well; ``words`` say where, and why."""


class _Note(NamedTuple):
    memory: Memory
    on_end: Callable[[bool], None]


class RolloutSeat:
    """Wanted from the first ``ask`` to the last ``leave``; costs nothing before and after."""

    def __init__(self, clock: Clock, log: EventLog, send: Callable[[Message], None]) -> None:
        self._clock = clock
        self._log = log
        self._send = send
        self._holdings = Holdings()
        self._waiting: dict[str, Callable[[], None]] = {}
        self._users: set[str] = set()
        self._note: _Note | None = None
        self._word = Reason("")
        self._awaited = ""
        self.memory = Memory()
        """Left by the holder before, while this node holds the seat."""
        self.on_wanted: Listeners[[]] = Listeners()
        """Told when the ledger has to hear of it."""
        self.on_end: Listeners[[]] = Listeners()
        """Told when the daemon ends, so that nobody's turn will come here."""

    @property
    def wanted(self) -> bool:
        return bool(self._waiting or self._users)

    @property
    def reason(self) -> Reason:
        """Why this node does not have it, as the ledger has said."""
        return self._word or NOT_TOLD

    @property
    def is_elsewhere(self) -> bool:
        """Whether the database has told that somebody else has it, or is to have it."""
        return bool(self._word)

    def ask(self, who: str, call: Callable[[], None]) -> None:
        """Have ``call`` called for ``who``, an activity of this node, as soon as the node holds the seat."""
        self._waiting[who] = call
        self._send(RolloutWanted(True))
        self.on_wanted()
        self._go_on()

    def leave(self, who: str) -> None:
        """Let another node have the seat, unless another activity of this one wants it."""
        was_wanted = self.wanted
        self._waiting.pop(who, None)
        self._users.discard(who)
        if was_wanted and not self.wanted:
            self._word, self._awaited, self._note = Reason(""), "", None
            self._send(RolloutWanted(False))
            self._release()

    def note(self, memory: Memory, on_end: Callable[[bool], None]) -> None:
        """Have the next holder know; call with whether the database has it, False where the seat is lost."""
        self._note = _Note(memory, on_end)
        self._say_note()

    def end(self) -> None:
        """Give it up, as the daemon ends."""
        self.on_end()
        for who in [*self._waiting, *self._users]:
            self.leave(who)

    # what the ledger says, and hears

    def take(self, sent: float, seats: list[list[Any]], *, whole: bool) -> None:
        """Take whether the seat is held, by a statement that was sent at ``sent``."""
        for change in self._holdings.take(sent, seats, whole=whole):
            self._follow(change)
        self._go_on()

    def explain(self, reason: str) -> None:
        """Take why this node does not have it."""
        self._word = Reason(reason)
        holder = reason.partition(", since")[0]
        if self._waiting and reason and holder != self._awaited:
            self._awaited = holder
            self._log.emit("turn.awaited", reason=reason)

    def remember(self, left: SeatRemembered) -> None:
        self.memory = Memory(left.rule, left.settled, left.due)

    def noted(self, noted: SeatNoted) -> None:
        """Take that the database has what the next holder is to know."""
        note, holding = self._note, self._held()
        if note is not None and holding is not None and (noted.token, noted.settled) == _key(holding, note):
            self._end_note(ok=True)

    def say_again(self) -> None:
        """Say what a ledger may have missed."""
        if self.wanted:
            self._send(RolloutWanted(True))
            self._say_note()

    # what follows

    def _held(self) -> Holding | None:
        holding = self._holdings.get(ROLLOUT)
        gone = holding is None or holding.released or self._clock.boot() >= holding.deadline
        return None if gone else holding

    def _follow(self, change: Change) -> None:
        if change.lost is not None and not change.lost.released:
            self._log.emit("turn.lost", token=change.lost.token)
            self._end_note(ok=False)
        if change.now is not None and change.now.released:
            self._send(SeatReleased(*ROLLOUT, change.now.token))  # a ledger has not heard it
        elif change.now is not None and change.is_new:
            self._log.emit("turn.taken", token=change.now.token, taken_from=change.now.taken_from or None)
            self._word, self._awaited = Reason(""), ""
            if not self.wanted:
                self._release()

    def _go_on(self) -> None:
        if self._held() is None:
            return
        calls, self._waiting = self._waiting, {}
        self._users |= calls.keys()
        for call in calls.values():
            call()

    def _release(self) -> None:
        holding = self._holdings.get(ROLLOUT)
        if holding is not None and not holding.released:
            holding.released = True
            self._log.emit("turn.released", token=holding.token)
            self._send(SeatReleased(*ROLLOUT, holding.token))

    def _say_note(self) -> None:
        note, holding = self._note, self._held()
        if note is not None and holding is not None:
            words, settled, due = note.memory
            self._send(SeatSettled(*ROLLOUT, holding.token, words, settled, due, None))

    def _end_note(self, *, ok: bool) -> None:
        note, self._note = self._note, None
        if note is not None:
            if ok:
                self.memory = note.memory
            note.on_end(ok)


def _key(holding: Holding, note: _Note) -> tuple[int, float | None]:
    return holding.token, note.memory.settled

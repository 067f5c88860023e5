"""The reload of the whole fleet as this node takes part in it: in its turn, unless it went wrong on a node before."""

from typing import Any, NamedTuple

from workerd.daemon.io.log import EventLog
from workerd.wire.reasons import Reason, public_part, say

from .order import Reply
from .reloading import Reloading
from .rollout_seat import Memory, RolloutSeat

RELOAD = "reload"
WORDS = 300
"""The most characters of a reason that other nodes hear."""
STOPPING = Reason("the daemon is stopping and takes no more orders")


class Asked(NamedTuple):
    """A reply that is waited for, and the order that it answers: each node's row of one order has the same time."""

    reply: Reply
    order: float


class FleetReload:
    """Waits for the turn of this node, reloads, and leaves word of how that ended before the next node has its turn."""

    def __init__(self, log: EventLog, node: str, seat: RolloutSeat, reloading: Reloading) -> None:
        self._log = log
        self._node = node
        self._seat = seat
        self._reloading = reloading
        self._waiting: list[Asked] = []
        self._under_way: list[Asked] = []
        self._stopped = Reason("")
        """Why this node keeps its code after the last order; "" where it does not."""
        reloading.waits = self._account
        seat.on_end.add(self._give_up)

    def ask(self, reply: Reply, order: float) -> None:
        """Reload as soon as no other node drains or reloads; reply when this node is done."""
        self._waiting.append(Asked(reply, order))
        if not self._under_way:
            self._seat.ask(RELOAD, self._begin)

    def _account(self) -> Reason:
        if self._waiting and not self._under_way:
            return say("to be loaded anew in this node's turn: ", self._seat.reason)
        return self._stopped

    def _give_up(self) -> None:
        waiting, self._waiting = self._waiting, []
        for asked in waiting:
            asked.reply({"ok": False, "error": STOPPING})

    # the turn

    def _begin(self) -> None:
        """Keep the code where an order has gone wrong on a node before; else say that this node begins with it."""
        memory, waiting, self._waiting = self._seat.memory, self._waiting, []
        self._under_way = [asked for asked in waiting if asked.order != memory.open]
        if refused := [asked for asked in waiting if asked.order == memory.open]:
            self._refuse(refused, memory.words)
        if not self._under_way:
            self._end(ok=True)
            return
        order = max(asked.order for asked in self._under_way)
        self._seat.note(Memory(f"{self._node} has not brought its reload to an end", None, order), self._load)

    def _refuse(self, refused: list[Asked], words: str) -> None:
        self._stopped = Reason(f"the reload of the fleet has stopped, and this node keeps its code: {words}")
        self._log.emit("rollout.stopped", reason=self._stopped)
        for asked in refused:
            asked.reply({"ok": False, "error": self._stopped})

    def _load(self, ok: bool) -> None:
        if ok:
            self._stopped = Reason("")
            self._reloading.ask(self._loaded)
            return
        self._waiting, self._under_way = [*self._under_way, *self._waiting], []  # the turn is lost: wait for the next
        self._seat.leave(RELOAD)
        if self._waiting:
            self._seat.ask(RELOAD, self._begin)

    def _loaded(self, answer: dict[str, Any]) -> None:
        """Answer, and have the next node go on, unless the code was rejected or the move to it halted."""
        order = max(asked.order for asked in self._under_way)
        for asked in self._under_way:
            asked.reply(answer)
        went_well = "generation" in answer and not answer.get("halted")
        words = "" if went_well else self._tell(answer)
        self._seat.note(Memory(words, order, None if went_well else order), lambda ok: self._end(ok=ok))

    def _tell(self, answer: dict[str, Any]) -> str:
        reason = public_part(answer.get("error", "")).partition("\n")[0]
        return f"{self._node}: {reason or 'its reload did not end well'}"[:WORDS]

    def _end(self, *, ok: bool) -> None:  # noqa: ARG002 - a turn that is lost has ended, too
        self._under_way = []
        self._seat.leave(RELOAD)
        if self._waiting:
            self._seat.ask(RELOAD, self._begin)

"""A drain: this node gives its seats to other nodes, a few at a time, takes no more, and says where each has gone."""

from typing import Any

from workerd.daemon.io.log import EventLog
from workerd.daemon.io.loop import Loop, Timer
from workerd.daemon.rules.holdings import Holding, Place
from workerd.daemon.slots.lifecycle import Lifecycle
from workerd.daemon.slots.slot import LiveSlot
from workerd.daemon.slots.slot_set import SlotSet
from workerd.wire.messages import DrainWeighed, Message, WeighDrain
from workerd.wire.reasons import Reason

from .fleet import Fleet
from .order import Reply

DRAIN = "drain"
WEIGH_S = 10.0
TAKEN_WITHIN_S = 15.0
"""Another node should have a seat so many seconds after it was given up; a drain waits no longer for it."""
WAYS = {"drain": "", "drain_now": "now", "drain_force": "force", "drain_undo": "undo"}
"""Each verb of a row, with the way that it asks for."""
UNTIL = "It takes no seat until “drain --undo”, or until its daemon ends."
NOT_KNOWN = Reason("the database does not answer, so that it is not known what the drain would stop: say --force")
STOPPING = Reason("the daemon is stopping and takes no more orders")
STILL = Reason("it has not ended yet")


class NodeDrain:
    """Begun by an order, once no other node drains or reloads, unless a job would stop.

    It goes on at the end of each turn until no seat is left here.
    """

    def __init__(  # noqa: PLR0917 - the parts that it ties together
        self,
        loop: Loop,
        log: EventLog,
        lifecycle: Lifecycle,
        slot_set: SlotSet,
        fleet: Fleet,
        max_unavailable: int | None,
    ) -> None:
        self._loop = loop
        self._log = log
        self._lifecycle = lifecycle
        self._slot_set = slot_set
        self._fleet = fleet
        self._max_unavailable = max_unavailable
        self._replies: list[Reply] = []
        self._by = ""
        self._turn = fleet.rollout_seat
        self._patience: Timer | None = None
        self._weighing: Timer | None = None
        self._under_way = False
        self._moved: dict[Place, float] = {}
        """By place that was given up: when no process of it was left, in monotonic seconds; 0 until then."""
        self._total = 0
        fleet.on_answer.add(self._heard)

    @property
    def account(self) -> str:
        """A sentence on the drain; "" where there is none."""
        if not self._under_way and self._replies:
            return f"to be drained in this node's turn, as asked for by {self._by}: {self._turn.reason}"
        if not self._under_way:
            return ""
        left = len(self._held())
        return f"draining, as asked for by {self._by}: " + ("no seat is left" if not left else f"{left} seats are left")

    def ask(self, reply: Reply, way: str, by: str) -> None:
        """Drain in this node's turn, or ``now``; with ``force`` also where a job stops; or ``undo`` it.

        Reply when it is done.
        """
        if self._lifecycle.stopping:
            reply({"ok": False, "error": STOPPING})
        elif way == "undo":
            self._undo(reply, by)
        elif way not in WAYS.values():
            reply({"ok": False, "error": Reason(f"a drain has no way “{way}”: there are “now”, “force” and “undo”")})
        else:
            self._replies.append(reply)
            if not self._under_way:
                self._by = by
                if way or not self._held():
                    self._weigh_or_begin(forced=way == "force")
                else:
                    self._await_turn()

    def go_on(self) -> None:
        """At the end of a turn: give up the next seats, and answer when all of them have found a node."""
        if self._replies and self._lifecycle.stopping:
            self._answer({"ok": False, "error": STOPPING})
        if not self._under_way:
            return
        held = self._held()
        for holding in self._next(held):
            slot = self._slot_set.at(holding.place)
            self._moved[holding.place] = 0.0
            if slot is not None:
                self._fleet.seats.give_up(slot, Reason(f"this node is drained by {self._by}"))
        if self._replies and not held and not any(self._is_open(place) for place in self._moved):
            self._finish()

    def _await_turn(self) -> None:
        """Wait as long as another node has its turn, but not for a database that does not answer."""
        self._turn.ask(DRAIN, self._turn_came)
        self._patience = self._loop.call_in(WEIGH_S, self._give_up_turn)

    def _turn_came(self) -> None:
        if not self._under_way:
            self._weigh_or_begin(forced=False)

    def _give_up_turn(self) -> None:
        waits = self._replies and not self._under_way and self._weighing is None
        if waits and not self._turn.is_elsewhere:
            self._answer({"ok": False, "error": NOT_KNOWN})

    def _weigh_or_begin(self, *, forced: bool) -> None:
        if forced or not self._held():
            self._stop_weighing()
            self._begin()
        elif self._weighing is None:
            self._weighing = self._loop.call_in(WEIGH_S, lambda: self._answer({"ok": False, "error": NOT_KNOWN}))
            if not self._fleet.tell(WeighDrain()):
                self._answer({"ok": False, "error": NOT_KNOWN})

    def _heard(self, message: Message) -> None:
        if isinstance(message, DrainWeighed) and self._weighing is not None:
            self._stop_weighing()
            if message.refusal:
                self._answer({"ok": False, "error": Reason(message.refusal)})
            else:
                self._begin()

    def _begin(self) -> None:
        self._under_way, self._total = True, len(self._held())
        self._moved.clear()
        self._fleet.claim_none(Reason(f"this node is drained by {self._by}"))
        self._log.emit("node.draining", requested_by=self._by, seats=self._total)
        self._loop.call_soon(self.go_on)

    def _undo(self, reply: Reply, by: str) -> None:
        self._stop_weighing()
        self._answer({"ok": False, "error": Reason(f"the drain was undone by {by}")})
        if self._under_way:
            self._under_way = False
            self._fleet.claim_none("")
            self._log.emit("node.undrained", requested_by=by)
        reply({"ok": True, "note": "this node takes seats again"})

    # the seats

    def _held(self) -> list[Holding]:
        return [holding for holding in self._fleet.seats.holdings if not holding.released]

    def _next(self, held: list[Holding]) -> list[Holding]:
        """Return what is to be given up now, so that no more than MAX_UNAVAILABLE are without a node."""
        limit = self._max_unavailable or max(1, self._total // 10)
        room = limit - sum(self._is_open(place) for place in self._moved)
        return [holding for holding in held if holding.place not in self._moved][: max(0, room)]

    def _is_open(self, place: Place) -> bool:
        """Return whether a seat that was given up has no other node yet, and should have one soon."""
        holding, now = self._fleet.seats.holdings.get(place), self._loop.clock.monotonic()
        if holding is not None and not holding.released:
            return True
        if not self._moved[place]:
            self._moved[place] = now
            self._loop.call_in(TAKEN_WITHIN_S, self.go_on)
        slot = self._slot_set.at(place)
        if slot is None or not slot.is_meant or self._has_node(slot):
            return False
        return now - self._moved[place] < TAKEN_WITHIN_S

    def _has_node(self, slot: LiveSlot) -> bool:
        elsewhere = self._fleet.elsewhere
        return elsewhere.has_holder(slot) and bool(elsewhere.reason((slot.spec.id, slot.index)))

    # the answer

    def _finish(self) -> None:
        slots = [slot for place in self._moved if (slot := self._slot_set.at(place)) is not None]
        answer: dict[str, Any] = {"ok": True, "note": UNTIL}
        if slots:
            told = [self._tell(slot) for slot in slots]
            answer |= {"ok": all(slot["ok"] for slot in told), "slots": told}
        self._answer(answer)

    def _tell(self, slot: LiveSlot) -> dict[str, Any]:
        ok = self._has_node(slot) or not slot.is_meant
        where = self._fleet.elsewhere.reason((slot.spec.id, slot.index))
        return {"slot": slot.name, "ok": ok, "text": where or Reason("no node has taken it yet")}

    def _answer(self, answer: dict[str, Any]) -> None:
        self._stop_weighing()
        self._turn.leave(DRAIN)
        if self._patience is not None:
            self._patience.cancel()
        replies, self._replies = self._replies, []
        for reply in replies:
            reply(answer)

    def _stop_weighing(self) -> None:
        if self._weighing is not None:
            self._weighing.cancel()
            self._weighing = None

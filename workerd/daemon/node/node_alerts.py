"""Raises alerts about the node: its code, its ledger, its database, its records, and its part in a fleet."""

from workerd.daemon.io.alert_queue import AlertQueue
from workerd.daemon.io.patience import Patience
from workerd.daemon.processes.child import Child
from workerd.daemon.rules.alerts import Alert
from workerd.daemon.slots.rollout import LEDGER_NAME, RolloutEnd
from workerd.daemon.slots.slot import LiveSlot
from workerd.daemon.slots.slot_alerts import about_slot, subject_of
from workerd.durations import format_duration
from workerd.wire.config import AlertTimes
from workerd.wire.messages import Message, NodesSilent
from workerd.wire.reasons import Reason, say

from .parts import Parts

LOOK_S = 5.0
"""How often it is seen which seats nobody takes."""


class NodeAlerts:
    """Listens to the parts of the node."""

    def __init__(self, parts: Parts, queue: AlertQueue, times: AlertTimes) -> None:
        self._parts = parts
        self._queue = queue
        self._times = times
        self._lasting: Patience[str] = Patience(parts.loop, self._lasts)
        self._silent: dict[str, Alert] = {}
        self._untaken: dict[str, Alert] = {}
        parts.lifecycle.on_changed.add(self._look_at_ledger)
        parts.database.on_lost.add(lambda: self._lasting.begin("database_out", times.out_s))
        parts.database.on_recovered.add(self._database_is_back)
        parts.ledger.on_heard.add(self._look_at_records)
        parts.messages.on_other.add(self._heard)
        parts.generations.on_rejected.add(lambda reason: queue.raise_alert(Alert("rejected", "", reason)))
        parts.generations.on_ready.add(lambda _new: self._end("rejected", "a generation of the code has loaded"))
        parts.rollout.on_any_end.add(self._rollout_ended)
        parts.fleet.seats.on_lost.add(self._seat_lost)
        parts.loop.call_in(LOOK_S, self._look_at_seats)

    # what has to last

    def _look_at_ledger(self, slot: LiveSlot) -> None:
        if not (slot.builtin and slot.spec.name == LEDGER_NAME) or self._parts.lifecycle.stopping:
            return  # by its name: it changes before the part that adds it has it
        if slot.is_running:
            self._lasting.end("ledger_lost")
            self._end("ledger_lost", "it runs")
        else:
            self._lasting.begin("ledger_lost", self._times.out_s)

    def _database_is_back(self) -> None:
        self._lasting.end("database_out")
        self._queue.end_alert(Alert("database_out", "", Reason("the ledger reaches its database again")))

    def _lasts(self, kind: str) -> None:
        lasted = format_duration(self._times.out_s)
        if kind == "database_out":
            text = say(f"the database is out for {lasted}: ", self._parts.database.trouble)
            self._queue.raise_alert(Alert(kind, "", text))
        else:
            slot = self._parts.ledger.slot
            why = slot.reason or self._parts.generations.obstacle()
            self._queue.raise_alert(Alert(kind, "", say(f"the ledger does not run for {lasted}: ", why)))

    # what is so at once

    def _look_at_records(self) -> None:
        count = self._parts.ledger.set_aside
        if count:
            text = Reason(f"the database has refused {count}; “manage.py workerd records” says why, and what to do")
            self._queue.raise_alert(Alert("set_aside", "", text))
        elif self._queue.holds("set_aside"):
            self._end("set_aside", "none is set aside any more")

    def _rollout_ended(self, end: RolloutEnd) -> None:
        if not end.halted:
            self._end("halted", f"generation {end.generation} runs everywhere")
        elif not self._parts.lifecycle.stopping:
            moved = f"{end.moved} of {end.total} slots run generation {end.generation}: "
            self._queue.raise_alert(Alert("halted", "", say(moved, end.halted)))

    # the fleet

    def _seat_lost(self, slot: LiveSlot) -> None:
        text = Reason("the database no longer has the seat as this node's: its process ends")
        self._queue.raise_alert(Alert("seat_lost", subject_of(slot), text, about_slot(slot)))

    def _heard(self, child: Child, message: Message) -> None:
        """Take a message; only the ledger's own child may say who is silent."""
        if isinstance(message, NodesSilent) and child is self._parts.ledger.slot.child:
            self._take_silent(message.nodes)

    def _take_silent(self, nodes: list[str]) -> None:
        reason = Reason("it is heard of again, has left, or is silent for so long that it is taken for gone")
        now = {node: Alert("node_silent", node, Reason(f"node {node} is not heard of")) for node in nodes}
        self._follow(self._silent, now, reason)
        self._silent = now

    def _look_at_seats(self) -> None:
        if self._parts.lifecycle.stopping:
            return
        now = {}
        for slot, reason in self._parts.fleet.elsewhere.untaken():
            alert = Alert("seat_untaken", subject_of(slot), say("no node runs it: ", reason), about_slot(slot))
            now[alert.subject] = alert
        self._follow(self._untaken, now, Reason("a node has it, or it is not wanted any more"))
        self._untaken = now
        self._parts.loop.call_in(LOOK_S, self._look_at_seats)

    def _follow(self, before: dict[str, Alert], now: dict[str, Alert], over: str) -> None:
        for name in before.keys() - now.keys():
            self._queue.end_alert(before[name]._replace(text=over))
        for alert in now.values():
            self._queue.raise_alert(alert)

    def _end(self, kind: str, text: str) -> None:
        self._queue.end_alert(Alert(kind, "", Reason(text)))

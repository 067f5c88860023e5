"""Operators' orders: which slots a name means, what each verb does to a slot, and when the order is answered."""

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from workerd.daemon.io.loop import Loop, Timer
from workerd.daemon.processes.stack_dump import StackDumps
from workerd.daemon.rules.facts import Fact
from workerd.daemon.slots.lifecycle import Lifecycle
from workerd.daemon.slots.slot import LiveSlot
from workerd.daemon.slots.slot_set import SlotSet
from workerd.daemon.slots.waiting import explain
from workerd.wire.reasons import Reason, public_part
from workerd.wire.words import names_slot

Reply = Callable[[dict[str, Any]], None]
MARGIN_S = 10.0
"""An order waits this much longer than its slots may take to stop and to start."""
NAME_CHARACTERS = 200
MEANT_AMONG = 300
"""Of so many jobs the one that is meant by a mistyped name is looked for, which takes 10 ms."""
VERBS = ("start", "stop", "restart", "resume", "dump")


class SlotAnswer(NamedTuple):
    """The part of an order's answer that is about one slot."""

    slot: str
    ok: bool
    text: str


@dataclass(eq=False, repr=False, slots=True)
class Order:
    """One order under way.

    ``waiting`` holds the slots that have not arrived where the order wants them, with the run that each had when it was
    given.
    """

    verb: str
    by: str
    reply: Reply
    everyone: bool = False
    """The order is for all slots: then it passes over a slot that cannot do it, which fails an order by name."""
    waiting: dict[LiveSlot, str | None] = field(default_factory=dict)
    answers: list[SlotAnswer] = field(default_factory=list)
    generation: int = 0
    """The newest code that a process runs which was restarted."""
    overdue: Timer | None = None


class Orders:
    """Carries out orders; answers each once, at the latest when its slots have had their time."""

    def __init__(
        self,
        loop: Loop,
        stack_dumps: StackDumps,
        slot_set: SlotSet,
        lifecycle: Lifecycle,
        obstacle: Callable[[], str],
    ) -> None:
        """``obstacle`` returns why no process can be started now, or "" where nothing speaks against it."""
        self._loop = loop
        self._stack_dumps = stack_dumps
        self._slot_set = slot_set
        self._lifecycle = lifecycle
        self._obstacle = obstacle
        self._open: set[Order] = set()
        self._verbs: dict[str, Callable[[Order, LiveSlot], str]] = {
            "start": self._start,
            "stop": self._stop,
            "restart": self._restart,
            "resume": self._resume,
            "dump": self._dump,
        }

    def carry_out(
        self, verb: str, names: Iterable[str], reply: Reply, *, wait: bool = True, by: str = "an operator"
    ) -> None:
        """Do ``verb`` to the slots that ``names`` mean (jobs or slots; none is all); reply when it is done.

        ``by`` is who asks for it.
        """
        names = tuple(names)
        if verb == "restart" and (obstacle := self._obstacle()):
            own = "nothing was restarted, because no new process can be started"
            reply({"ok": False, "error": Reason(f"{own}: {obstacle}", own)})
            return
        slots, unknown = self._find(names)
        order = Order(verb, by, reply, everyone=not names)
        for name in unknown:
            order.answers.append(SlotAnswer(name, ok=False, text=Reason(self._deny(name))))
        for slot in slots:
            self._begin(order, slot)
        if not wait:
            order.answers += [SlotAnswer(slot.name, ok=True, text=Reason("asked")) for slot in order.waiting]
            order.waiting.clear()
        self._open.add(order)
        patience = max((slot.spec.stop_timeout + slot.spec.start_timeout for slot in order.waiting), default=0.0)
        order.overdue = self._loop.call_in(patience + MARGIN_S, lambda: self._give_up(order))
        self._loop.call_soon(self.go_on)

    def go_on(self) -> None:
        """At the end of a turn: answer the orders that are done."""
        for order in tuple(self._open):
            if order.verb != "dump":
                for slot, run in tuple(order.waiting.items()):
                    self._see(order, slot, run)
            if not order.waiting:
                self._answer(order)

    def _find(self, names: tuple[str, ...]) -> tuple[list[LiveSlot], list[str]]:
        slots = sorted(self._slot_set.job_slots(), key=lambda slot: (slot.spec.name, slot.index))
        if not names:
            return slots, []
        named = [slot for slot in slots if any(names_slot(name, slot.name) for name in names)]
        return named, [name for name in names if not any(names_slot(name, slot.name) for slot in named)]

    def _deny(self, name: str) -> str:
        """Return that there is no slot of this name, and which one may be meant."""
        jobs = sorted({slot.spec.name for slot in self._slot_set.job_slots()})
        known = f"Jobs: {', '.join(jobs[:20])}{' …' if len(jobs) > 20 else ''}." if jobs else "There are no jobs."
        job, *index = name[:NAME_CHARACTERS].split(":")
        meant = difflib.get_close_matches(job, jobs[:MEANT_AMONG], 1)
        guess = f" Did you mean “{':'.join([*meant, *index])}”?" if meant and meant != [job] else ""
        return f"there is no such job or slot.{guess} {known}"

    def _begin(self, order: Order, slot: LiveSlot) -> None:
        run = slot.child.run if slot.child is not None else None
        problem = self._verbs[order.verb](order, slot)
        if problem:
            order.answers.append(SlotAnswer(slot.name, ok=order.everyone, text=Reason(problem)))
        else:
            order.waiting[slot] = run

    def _start(self, order: Order, slot: LiveSlot) -> str:
        if not slot.spec.enabled:
            return "it is disabled: enable its row first"
        slot.held = False
        cause = Reason(f"started by {order.by}")
        if not slot.wanted:
            self._lifecycle.want(slot, True, cause)
        else:
            self._lifecycle.apply(slot, Fact.START_ASKED, cause=cause)
        return ""

    def _stop(self, order: Order, slot: LiveSlot) -> str:
        slot.held = True
        self._lifecycle.want(slot, False, Reason(f"stopped by {order.by}"))
        return ""

    def _restart(self, order: Order, slot: LiveSlot) -> str:
        if not slot.wanted:
            return "it is stopped: start it" if slot.spec.enabled else "it is disabled: enable its row first"
        self._lifecycle.apply(slot, Fact.RESTART_ASKED, cause=Reason(f"restarted by {order.by}"))
        return ""

    def _resume(self, order: Order, slot: LiveSlot) -> str:
        if not slot.is_parked:
            return f"it is {slot.state.value}, not parked: nothing to resume"
        self._lifecycle.apply(slot, Fact.RESUMED, cause=Reason(f"resumed by {order.by}"))
        return ""

    def _dump(self, order: Order, slot: LiveSlot) -> str:
        child = slot.child
        if child is None or not slot.is_alive:
            return f"nothing to dump: it is {slot.state.value}"
        if child.dumped:
            return "its stack was taken already: see “tail --event child.stack”"
        self._stack_dumps.take(child, lambda stack: self._dumped(order, slot, stack))
        return ""

    def _dumped(self, order: Order, slot: LiveSlot, stack: str) -> None:
        if order.waiting.pop(slot, "") != "":
            order.answers.append(SlotAnswer(slot.name, ok=not stack.startswith("no stack"), text=stack))
            self.go_on()

    def _see(self, order: Order, slot: LiveSlot, run: str | None) -> None:
        """Note the slot's answer if it has arrived where the order wants it."""
        if order.verb == "stop":
            arrived, ok = not slot.is_alive, slot.is_stopped
        else:
            is_old = order.verb == "restart" and slot.child is not None and slot.child.run == run
            arrived, ok = slot.is_settled and not is_old, slot.is_running
        if arrived:
            del order.waiting[slot]
            if slot.child is not None:
                order.generation = max(order.generation, slot.child.generation)
            order.answers.append(SlotAnswer(slot.name, ok=ok, text=_describe(slot, slot.reason)))

    def _give_up(self, order: Order) -> None:
        for slot in order.waiting:
            order.answers.append(SlotAnswer(slot.name, ok=False, text=_describe(slot, explain(slot), "not yet: ")))
        order.waiting.clear()
        self.go_on()

    def _answer(self, order: Order) -> None:
        self._open.discard(order)
        if order.overdue is not None:
            order.overdue.cancel()
        slots = [{"slot": answer.slot, "ok": answer.ok, "text": answer.text} for answer in order.answers]
        answer = {"ok": all(answer.ok for answer in order.answers), "slots": slots}
        if order.verb == "restart" and order.generation:
            answer["note"] = f"Restarted with the code of generation {order.generation}; “reload” loads newer files."
        order.reply(answer)


def _describe(slot: LiveSlot, reason: str, begin: str = "") -> Reason:
    child = slot.child
    pid = f", pid {child.pid}" if child is not None and child.pid is not None else ""
    state = f"{begin}{slot.state.value}{pid}"
    return Reason(*(f"{state}: {part}" if part else state for part in (reason, public_part(reason))))

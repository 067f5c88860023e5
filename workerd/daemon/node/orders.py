"""Operators' orders: which slots a name means, what each verb does to a slot, and when the order is answered."""

from collections.abc import Callable, Iterable

from workerd.daemon.io.loop import Loop
from workerd.daemon.processes.stack_dump import StackDumps
from workerd.daemon.rules.dues import Due
from workerd.daemon.rules.facts import Fact
from workerd.daemon.slots.gate import Gate
from workerd.daemon.slots.lifecycle import Lifecycle
from workerd.daemon.slots.slot import LiveSlot
from workerd.daemon.slots.slot_set import SlotSet
from workerd.daemon.slots.waiting import explain
from workerd.wire.reasons import Reason, public_part
from workerd.wire.words import Overlap, Trigger, names_slot

from .order import Order, Reply, SlotAnswer
from .seat_orders import IN_FLEET, NOT_WRITTEN, SeatOrders
from .triggers import Triggered, look, refuse, waits_to_start

MARGIN_S = 10.0
"""An order waits this much longer than its slots may take to stop and to start."""
NAME_CHARACTERS = 200
MEANT_AMONG = 300
"""Of so many jobs the one that is meant by a mistyped name is looked for, which takes 10 ms."""
STARTING = ("start", "restart", "trigger")
"""The verbs that start a slot at once which they name, whatever it starts after."""
GIVING = "move"
"""The verb, of rows alone, that gives a seat to another node."""
VERBS = ("start", "stop", "restart", "resume", "dump", "trigger")


class Orders:
    """Carries out orders; answers each once, at the latest when its slots have had their time."""

    def __init__(  # noqa: PLR0917 - the parts that it ties together
        self,
        loop: Loop,
        stack_dumps: StackDumps,
        slot_set: SlotSet,
        lifecycle: Lifecycle,
        gate: Gate,
        obstacle: Callable[[], str],
        seats: SeatOrders,
    ) -> None:
        """``obstacle`` returns why no process can be started now, or "" where nothing speaks against it."""
        self._loop = loop
        self._stack_dumps = stack_dumps
        self._slot_set = slot_set
        self._lifecycle = lifecycle
        self._gate = gate
        self._obstacle = obstacle
        self._seats = seats
        self._open: set[Order] = set()
        self._verbs: dict[str, Callable[[Order, LiveSlot], str]] = {
            "start": self._start,
            "stop": self._stop,
            "restart": self._restart,
            "resume": self._resume,
            "dump": self._dump,
            "trigger": self._trigger,
            GIVING: self._move,
        }

    def carry_out(
        self,
        verb: str,
        names: Iterable[str],
        reply: Reply,
        *,
        wait: bool = True,
        to_end: bool = False,
        by: str = "an operator",
        passes_on: bool = False,
    ) -> None:
        """Do ``verb`` to the slots that ``names`` mean (jobs or slots; none is all); reply when it is done.

        ``by`` is who asks for it. With ``to_end`` a trigger waits until the runs have ended. With ``passes_on`` other
        nodes are given the order for what they have of the fleet.
        """
        names = tuple(names)
        if verb == "restart" and (obstacle := self._obstacle()):
            own = "nothing was restarted, because no new process can be started"
            reply({"ok": False, "error": Reason(f"{own}: {obstacle}", own)})
            return
        if verb == "trigger" and not names:
            reply(
                {"ok": False, "error": Reason("name the jobs that are to run now")}
            )  # never every nightly job at once
            return
        slots, unknown = self._find(names)
        order = Order(verb, by, reply, everyone=not names, to_end=to_end, passes_on=passes_on)
        for name in unknown:
            order.answers.append(SlotAnswer(name, ok=False, text=Reason(self._deny(name))))
        answered = set(slots) if passes_on else self._seats.answered_here(slots)
        for slot in slots:
            if slot in answered:
                self._begin(order, slot)
        self._seats.send(order, slots if verb in IN_FLEET else order.unconfirmed)
        if not wait:
            order.answers += [SlotAnswer(slot.name, ok=True, text=Reason("asked")) for slot in order.waiting]
            order.waiting.clear()
        self._open.add(order)
        if not to_end:
            patience = max((slot.spec.stop_timeout + slot.spec.start_timeout for slot in order.waiting), default=0.0)
            order.overdue = self._loop.call_in(patience + MARGIN_S, lambda: self._give_up(order))
        self._loop.call_soon(self.go_on)

    def go_on(self) -> None:
        """Answer, at the end of a turn, the orders that are done."""
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
        if misfit := self._slot_set.misfits.get(name.split(":", maxsplit=1)[0]):
            return f"it runs on other nodes: this node {misfit}"
        jobs = sorted({slot.spec.name for slot in self._slot_set.job_slots()})
        known = f"Jobs: {', '.join(jobs[:20])}{' …' if len(jobs) > 20 else ''}." if jobs else "There are no jobs."
        job, *index = name[:NAME_CHARACTERS].split(":")
        import difflib  # few orders are mistyped

        meant = difflib.get_close_matches(job, jobs[:MEANT_AMONG], 1)
        guess = f" Did you mean “{':'.join([*meant, *index])}”?" if meant and meant != [job] else ""
        return f"there is no such job or slot.{guess} {known}"

    def _begin(self, order: Order, slot: LiveSlot) -> None:
        run = slot.child.run if slot.child is not None else None
        if slot.spec.is_fleet and self._seats.begin(order, slot):
            if slot in order.unconfirmed:
                order.waiting[slot] = run
            return
        problem = self._verbs[order.verb](order, slot)
        if problem:
            text = problem if isinstance(problem, Reason) else Reason(problem)
            order.answers.append(SlotAnswer(slot.name, ok=order.everyone, text=text))
            return
        order.waiting[slot] = run
        if order.verb in STARTING and not order.everyone:
            self._gate.let_pass(slot)  # whoever names it wants it now

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
        if slot.is_alive and slot.has_begun:
            if order.everyone:
                return "its scheduled run goes on: name it to have that begin anew"
            self._come_due(order, slot, Overlap.REPLACE)
            return ""
        self._lifecycle.apply(slot, Fact.RESTART_ASKED, cause=Reason(f"restarted by {order.by}"))
        return ""

    def _trigger(self, order: Order, slot: LiveSlot) -> str:
        """Have a scheduled slot run now; its schedule stays as it is."""
        if problem := refuse(slot):
            return problem
        order.triggered[slot] = Triggered(waits_to_start(slot) or self._come_due(order, slot, ""))
        return ""

    def _come_due(self, order: Order, slot: LiveSlot, overlap: str) -> Due:
        due = Due.at(self._loop.clock.wall(), Trigger.OPERATOR)
        self._lifecycle.apply(slot, Fact.CAME_DUE, due=due, overlap=overlap, cause=Reason(f"asked for by {order.by}"))
        return due

    def _resume(self, order: Order, slot: LiveSlot) -> str:
        if not slot.is_parked:
            return f"it is {slot.state.value}, not parked: nothing to resume"
        self._lifecycle.apply(slot, Fact.RESUMED, cause=Reason(f"resumed by {order.by}"))
        return ""

    def _move(self, order: Order, slot: LiveSlot) -> str:
        self._seats.release(slot, Reason(f"moved to another node by {order.by}"))
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
        if (asked := order.triggered.get(slot)) is not None:
            if (came := look(slot, asked, order.to_end)) is not None:
                del order.waiting[slot]
                order.answers.append(SlotAnswer(slot.name, ok=came[0], text=came[1]))
            return
        if slot in order.unconfirmed:
            return
        if order.verb == GIVING:
            arrived, ok = slot.seat is None and not slot.is_alive, True
        elif order.verb == "stop":
            arrived, ok = not slot.is_alive, slot.is_stopped
        else:
            is_old = order.verb == "restart" and slot.child is not None and slot.child.run == run
            arrived, ok = slot.is_settled and not is_old, slot.is_running or slot.is_resting
        if arrived:
            del order.waiting[slot]
            if slot.child is not None:
                order.generation = max(order.generation, slot.child.generation)
            order.answers.append(SlotAnswer(slot.name, ok=ok, text=_describe(slot, slot.reason or slot.seat_reason)))

    def _give_up(self, order: Order) -> None:
        for slot in order.waiting:
            why = NOT_WRITTEN if slot in order.unconfirmed else explain(slot)
            order.answers.append(SlotAnswer(slot.name, ok=False, text=_describe(slot, why, "not yet: ")))
        order.waiting.clear()
        order.unconfirmed.clear()
        self.go_on()

    def _answer(self, order: Order) -> None:
        self._open.discard(order)
        self._seats.forget(order)
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

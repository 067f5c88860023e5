"""The project's code loaded anew: whoever asked is told when every job has moved over to it, or why none does."""

from collections.abc import Callable
from typing import Any

from workerd.daemon.io.listeners import Listeners
from workerd.daemon.slots.rollout import RolloutEnd
from workerd.daemon.slots.slot import LiveSlot
from workerd.wire.reasons import Reason, say

from .order import Reply
from .parts import Parts
from .shutdown import Shutdown

CHOICE = (
    "Correct the code and reload, or “reload --go-on” moves the others all the same, or “reload --back” moves back."
)
WAYS = {"reload": "", "reload_go_on": "go_on", "reload_back": "back"}
"""Each verb of an order, with the way of a reload that it asks for."""
NAMED = 20
"""The most slots that an answer names."""


class Reloading:
    """Loads a generation when asked, has the rollout move the slots over, and remembers what came of the last one."""

    def __init__(self, parts: Parts, shutdown: Shutdown) -> None:
        self._parts = parts
        self._rollout = parts.rollout
        self._shutdown = shutdown
        self._asked = 0
        """How many have not been answered yet."""
        self._rejection = self._halt = Reason("")
        self._lagging: tuple[LiveSlot, ...] = ()
        """Those that the last rollout has left down."""
        self.on_changed: Listeners[[]] = Listeners()
        """Told when ``account`` has changed."""
        self.waits: Callable[[], Reason] = lambda: Reason("")
        """Returns what a reload of the whole fleet waits for on this node, "" for nothing."""
        self._ways: dict[str, Callable[[Reply], None]] = {"": self._load, "go_on": self._insist, "back": self._go_back}

    @property
    def halt(self) -> Reason:
        """The reason why the reload goes no further until an operator decides; "" where it does."""
        return self._halt if self._rollout.halted else Reason("")

    @property
    def rejected(self) -> bool:
        """Whether the newest code was rejected, and nobody has decided on that since."""
        generations = self._parts.generations
        return bool(self._rejection) or (generations.rejected and generations.current is None)

    @property
    def account(self) -> Reason:
        """A sentence on the reload that goes on, or on the last one where it did not end well; else ""."""
        generations, rollout = self._parts.generations, self._rollout
        if generations.loading:
            again = ", and the code is loaded once more after that" if generations.awaited else ""
            return Reason(f"generation {generations.loading} is being loaded{again}")
        if rollout.under_way:
            moved, total = rollout.count()
            return Reason(f"{_of(moved, total)} generation {rollout.generation}, the others follow")
        parts = [part for part in (self.waits(), self._rejection, self._halt or self._tell_lagging()) if part]
        return say("", *parts[:1], *(say("; ", part) for part in parts[1:]))

    def ask(self, reply: Reply, way: str = "") -> None:
        """Load the next generation and have every job move over; a rejected one leaves everything as it is.

        Asked any number of times while a reload goes on, answer all of them. Another ``way`` decides on a rollout that
        is halted: ``go_on`` or ``back``.
        """
        if self._shutdown.begun:
            reply({"ok": False, "error": Reason("the daemon is stopping and takes no more orders")})
        elif way not in self._ways:
            reply({"ok": False, "error": Reason(f"a reload has no way “{way}”: there are “go_on” and “back”")})
        else:
            self._ways[way](reply)

    # the ways

    def _load(self, reply: Reply) -> None:
        self._begin()
        self._parts.generations.reload(lambda rejection: self._loaded(reply, rejection))
        self.on_changed()

    def _insist(self, reply: Reply) -> None:
        if not self._rollout.halted:
            reply({"ok": False, "error": Reason("no reload is halted: there is nothing to go on with")})
        elif self._parts.generations.loading:
            reply(self._busy())
        else:
            self._begin()
            self._rollout.insist()
            self._rollout.when_ended(lambda end: self._ended(reply, end))
            self.on_changed()

    def _go_back(self, reply: Reply) -> None:
        rollout, generations = self._rollout, self._parts.generations
        if not (rollout.halted or rollout.under_way):
            reply({"ok": False, "error": Reason("no reload is halted or under way: there is nothing to go back from")})
        elif generations.loading:
            reply(self._busy())
        elif generations.former is None:
            gone = "the code before is not there any more, as its forkserver has ended. Correct the code and reload."
            reply({"ok": False, "error": Reason(gone)})
        else:
            self._begin()
            rollout.go_back()
            rollout.when_ended(lambda end: self._ended(reply, end))
            self.on_changed()

    def _busy(self) -> dict[str, Any]:
        loading = f"generation {self._parts.generations.loading} is being loaded: wait for it"
        return {"ok": False, "error": Reason(loading)}

    # its result

    def _begin(self) -> None:
        self._asked += 1
        self._parts.sd_notifier.reloading()

    def _loaded(self, reply: Reply, rejection: str) -> None:
        if rejection:
            own = "the new generation was rejected"
            self._rejection = Reason(f"{own}: {rejection}".partition("\n")[0], own)
            self._answer(reply, {"ok": False, "error": Reason(f"{own}: {rejection}", own)})
        else:
            self._rejection = Reason("")
            self._parts.calendar.read_zones_again()
            current = self._parts.generations.current
            if current is not None and current.generation != self._rollout.generation:  # else another one asked, too
                self._rollout.start()
            self._rollout.when_ended(lambda end: self._ended(reply, end))
            self.on_changed()

    def _ended(self, reply: Reply, end: RolloutEnd) -> None:
        self._halt, self._lagging = Reason(""), end.lagging
        answer: dict[str, Any] = {"ok": not (end.halted or end.lagging), "generation": end.generation}
        if end.halted:
            share = f". {_of(end.moved, end.total)} generation {end.generation}"
            self._halt = say(f"the move to generation {end.generation} is halted: ", end.halted, Reason(share))
            choice = f"; the others, and their restarts, keep the code before. {CHOICE}"
            answer["error"], answer["halted"] = say("", self._halt, Reason(choice)), True
        elif end.lagging:
            answer["error"] = self._tell_lagging()
        else:
            self._rejection = Reason("")
        if finishing := self._rollout.finishing():
            answer["note"] = _tell_finishing(finishing)
        self._answer(reply, answer)

    def _tell_lagging(self) -> Reason:
        """Return which slots are still down that the last rollout has left so; "" for none."""
        down = [slot for slot in self._lagging if slot.is_down]
        if not down:
            return Reason("")
        named = [say(_how(slot), slot.reason or slot.end_reason) for slot in down[:NAMED]]
        more = f"; and {len(down) - NAMED} more" if len(down) > NAMED else ""
        return say(f"{_of(*self._rollout.count())} generation {self._rollout.generation}", *named, Reason(more))

    def _answer(self, reply: Reply, answer: dict[str, Any]) -> None:
        self._asked -= 1
        self.on_changed()
        if not self._asked:
            self._parts.sd_notifier.ready()
        reply(answer)


def _how(slot: LiveSlot) -> str:
    return f"; {slot.name} is {slot.state.value}{' again, after' if slot.is_retrying else ''}: "


def _tell_finishing(slots: list[LiveSlot]) -> str:
    """Return which scheduled runs end with the code that they began with."""
    named = ", ".join(f"{slot.name} (generation {slot.child.generation})" for slot in slots[:NAMED] if slot.child)
    more = f" and {len(slots) - NAMED} more" if len(slots) > NAMED else ""
    runs = "1 scheduled run finishes" if len(slots) == 1 else f"{len(slots)} scheduled runs finish"
    return f"{runs} with the code before: {named}{more}"


def _of(moved: int, total: int) -> str:
    return f"{moved} of {total} slots run{'s' * (moved == 1)}"

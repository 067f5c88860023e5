"""The project's code loaded anew: whoever asked is told when every job has moved over to it, or why none does."""

from typing import Any

from workerd.daemon.slots.rollout import Rollout
from workerd.wire.reasons import Reason

from .orders import Reply
from .parts import Parts
from .shutdown import Shutdown


class Reloading:
    """Loads a generation when asked, and has the rollout move the slots over when one has replaced another."""

    def __init__(self, parts: Parts, rollout: Rollout, shutdown: Shutdown) -> None:
        self._parts = parts
        self._rollout = rollout
        self._shutdown = shutdown
        parts.generations.on_ready.add(self._generation_ready)

    def ask(self, reply: Reply) -> None:
        """Load the next generation and have every job move over; a rejected one leaves everything as it is.

        Asked any number of times while a reload goes on, answer all of them.
        """
        if self._shutdown.begun:
            reply({"ok": False, "error": Reason("the daemon is stopping")})
            return
        self._parts.sd_notifier.reloading()
        self._parts.generations.reload(lambda rejection: self._loaded(reply, rejection))

    def _generation_ready(self, replaced: bool) -> None:
        if replaced:
            slot_set, ledger = self._parts.slot_set, self._parts.ledger.slot
            others = [slot for slot in slot_set.builtins() if slot is not ledger]
            self._rollout.start(ledger, [*others, *slot_set.job_slots()], self._parts.generations.number)

    def _loaded(self, reply: Reply, rejection: str) -> None:
        if rejection:
            own = "the new generation was rejected"
            self._answer(reply, {"ok": False, "error": Reason(f"{own}: {rejection}", own)})
        else:
            number = self._parts.generations.number
            self._rollout.when_done(lambda: self._answer(reply, {"ok": True, "generation": number}))

    def _answer(self, reply: Reply, answer: dict[str, Any]) -> None:
        self._parts.sd_notifier.ready()
        reply(answer)

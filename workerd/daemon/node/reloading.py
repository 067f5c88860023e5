"""The project's code loaded anew: whoever asked is told when every job has moved over to it, or why none does."""

from collections.abc import Callable
from typing import Any

from workerd.daemon.io.sd_notify import SdNotifier
from workerd.daemon.processes.generations import Generations
from workerd.daemon.slots.rollout import Rollout

from .orders import Reply


class Reloading:
    """Asked any number of times while one goes on, it answers all of them."""

    def __init__(
        self, generations: Generations, rollout: Rollout, sd_notifier: SdNotifier, is_stopping: Callable[[], bool]
    ) -> None:
        self._generations = generations
        self._rollout = rollout
        self._sd_notifier = sd_notifier
        self._is_stopping = is_stopping

    def ask(self, reply: Reply) -> None:
        """Load the next generation and have every job move over; a rejected one leaves everything as it is."""
        if self._is_stopping():
            reply({"ok": False, "error": "the daemon is stopping"})
            return
        self._sd_notifier.reloading()
        self._generations.reload(lambda rejection: self._loaded(reply, rejection))

    def _loaded(self, reply: Reply, rejection: str) -> None:
        if rejection:
            self._answer(reply, {"ok": False, "error": f"the new generation was rejected: {rejection}"})
        else:
            number = self._generations.number
            self._rollout.when_done(lambda: self._answer(reply, {"ok": True, "generation": number}))

    def _answer(self, reply: Reply, said: dict[str, Any]) -> None:
        self._sd_notifier.ready()
        reply(said)

"""Births: asked for, owned by pid before they are licensed, given up when overdue; and the spares born ahead."""

from collections.abc import Callable, Iterable

from workerd.daemon.io.log import EventLog
from workerd.daemon.io.loop import Loop, Timer
from workerd.daemon.rules.facts import Fact
from workerd.daemon.slots.lifecycle import Lifecycle
from workerd.daemon.slots.slot import LiveSlot
from workerd.wire.messages import Born, Message

from .child import Child
from .generations import Generations

SPARES = 2
BIRTH_TIMEOUT_S = 30.0
DISMISSAL_PATIENCE_S = 2.0
RETRY_INITIAL_S = 0.2
RETRY_MAX_S = 10.0


class Births:
    """Knows every child of ours. ``on_born`` gives a slot its child."""

    def __init__(  # noqa: PLR0917 - the parts that it ties together
        self,
        loop: Loop,
        log: EventLog,
        generations: Generations,
        lifecycle: Lifecycle,
        on_born: Callable[[LiveSlot, Child], None],
        on_message: Callable[[Child, Message], None],
    ) -> None:
        self._loop = loop
        self._log = log
        self._generations = generations
        self._on_born = on_born
        self._lifecycle = lifecycle
        self._on_message = on_message
        self._expecting: dict[Child, LiveSlot | None] = {}
        self._overdue: dict[Child, Timer] = {}
        self._retries: dict[LiveSlot, Timer] = {}
        self._waiting: dict[LiveSlot, None] = {}
        self._retry_s = RETRY_INITIAL_S
        self._rest_until = 0.0
        self._spares: list[Child] = []
        self.children: dict[int, Child] = {}
        self.closed = False

    # what the reaper asks

    def owned_pids(self) -> Iterable[int]:
        """Return the pids of every child and forkserver."""
        return (*self.children, *(one.pid for one in self._generations.processes()))

    def owns(self, pid: int) -> bool:
        """Return whether ``pid`` is one of them."""
        return pid in self.children or self._generations.find(pid) is not None

    def end_group(self, pid: int) -> None:
        """Kill what an ended child has left in its group."""
        if pid in self.children:
            self.children[pid].kill_group()

    def expects_births(self) -> bool:
        """Return whether a child may exist whose pid is not known yet."""
        return bool(self._expecting)

    # what slots ask

    def bear(self, slot: LiveSlot) -> None:
        """Find ``slot`` a child: a spare at once, or a birth."""
        if self._spares:
            self._on_born(slot, self._spares.pop(0))
        elif not self._ask(slot):
            self._waiting[slot] = None
            self.explain()

    def explain(self) -> None:
        """Have every slot that waits for a birth say why there is none, where that is known."""
        reason = f"nobody can be born: {trouble}" if (trouble := self._generations.trouble) else ""
        for slot in tuple(self._waiting):
            self._lifecycle.explain(slot, reason)

    def withdraw(self, slot: LiveSlot) -> None:
        """The wish is gone: what is being born for it becomes a spare or ends unlicensed."""
        self._waiting.pop(slot, None)
        if (timer := self._retries.pop(slot, None)) is not None:
            timer.cancel()
        for child, owner in self._expecting.items():
            if owner is slot:
                self._expecting[child] = None

    def replenish(self) -> None:
        """Have spares born ahead, while nothing else is."""
        if self.closed or self._generations.current is None or self._expecting:
            return
        if self._loop.clock.monotonic() < self._rest_until:
            return
        for _ in range(SPARES - len(self._spares)):
            self._ask(None)

    def close(self) -> None:
        """No more births: every spare and newborn reads end-of-file and ends."""
        self.closed = True
        self.drop_spares()
        for child in tuple(self._expecting):
            self._give_up(child)

    def drop_spares(self) -> None:
        """Let the spares go; they are reaped like any child."""
        for child in self._spares:
            self._dismiss(child)
        self._spares.clear()

    # what the forkserver says

    def generation_ready(self, replaced: bool) -> None:
        """Ask for every birth that waited; what a replaced generation is still bearing is asked of the new one."""
        if replaced:
            self.drop_spares()
            for child in tuple(self._expecting):
                if (slot := self._drop(child)) is not None:
                    self._waiting[slot] = None
        self.explain()
        waiting, self._waiting = self._waiting, {}
        for slot in waiting:
            self.bear(slot)

    def birth_failed(self, birth: int, reason: str) -> None:
        """The forkserver could not, or must not, fork."""
        for child in tuple(self._expecting):
            if child.birth == birth:
                self._log.emit("daemon.degraded", reason=f"a birth failed and is tried again: {reason}")
                self._give_up(child)

    def forget(self, pid: int) -> Child:
        """Return the child of ``pid``, which was reaped and is known no longer."""
        child = self.children.pop(pid)
        if child in self._spares:
            self._spares.remove(child)
        return child

    def _ask(self, slot: LiveSlot | None) -> bool:
        """Ask the current generation for a birth; False where there is none."""
        forkserver = self._generations.current
        if forkserver is None:
            return False
        try:
            child = Child.conceive(self._loop, self._log, forkserver.generation, self._heard, self._ended)
        except OSError as error:
            self._log.emit("daemon.degraded", reason=f"no descriptors for a birth: {error}")
            self._retry(slot)
            return True
        self._expecting[child] = slot
        self._overdue[child] = self._loop.call_in(BIRTH_TIMEOUT_S, lambda: self._is_overdue(child))
        forkserver.bear(child)
        return True

    def _is_overdue(self, child: Child) -> None:
        self._log.emit(
            "daemon.degraded", reason=f"a birth took more than {BIRTH_TIMEOUT_S:g} s: its forkserver is killed"
        )
        self._give_up(child)
        self._generations.suspect()

    def _heard(self, child: Child, message: Message) -> None:
        if not isinstance(message, Born):
            self._on_message(child, message)
        elif child in self._expecting:
            self._own(child, message.pid)

    def _own(self, child: Child, pid: int) -> None:
        slot = self._expecting.pop(child)
        self._overdue.pop(child).cancel()
        self._retry_s = RETRY_INITIAL_S
        child.pid = pid
        self.children[pid] = child
        if slot is not None and not self.closed:
            self._on_born(slot, child)
        elif self.closed or len(self._spares) >= SPARES:
            self._dismiss(child)
        else:
            child.was_spare = True
            self._spares.append(child)

    def _ended(self, child: Child) -> None:
        """End-of-file: before Born, no child came of it; after, its end is reaped."""
        if child in self._expecting:
            self._give_up(child)
        elif child in self._spares:
            self._spares.remove(child)

    def _dismiss(self, child: Child) -> None:
        """Have a child without a licence read end-of-file, and end; one that does not (it is stopped) is killed."""

        def kill() -> None:
            if child in self.children.values():
                child.kill_group()

        child.link.close()
        self._loop.call_in(DISMISSAL_PATIENCE_S, kill)

    def _give_up(self, child: Child) -> None:
        self._retry(self._drop(child))

    def _drop(self, child: Child) -> LiveSlot | None:
        """Want a birth no longer: its child reads end-of-file. Return the slot it was for."""
        slot = self._expecting.pop(child)
        self._overdue.pop(child).cancel()
        child.bury()
        return slot

    def _retry(self, slot: LiveSlot | None) -> None:
        if self.closed:
            return
        if slot is not None:
            self._retries[slot] = self._loop.call_in(self._retry_s, lambda: self._fail(slot))
        self._rest_until = self._loop.clock.monotonic() + self._retry_s
        self._retry_s = min(self._retry_s * 2, RETRY_MAX_S)

    def _fail(self, slot: LiveSlot) -> None:
        del self._retries[slot]
        self._lifecycle.tell(slot, Fact.BIRTH_FAILED)

"""Births: children are asked for, owned as soon as their pid is known, kept as spares, or let go unlicensed."""

import errno
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from workerd.daemon.io.listeners import Listeners
from workerd.daemon.io.log import EventLog
from workerd.daemon.io.loop import Loop, Timer
from workerd.wire.backoff import Backoff
from workerd.wire.messages import Born, Message
from workerd.wire.reasons import Reason, say

from .child import Child
from .forkserver import Forkserver
from .generations import Generations
from .program import Program
from .reaper import OpenBirths

SPARES = 2
RESERVE = 32
"""Descriptors that no job's child takes: forkserver, ledger, observer and control socket need them."""
BIRTH_TIMEOUT_S = 30.0
RETRY_INITIAL_S = 0.2
RETRY_MAX_S = 10.0
DISMISSAL_PATIENCE_S = 2.0
"""A child that was let go without a licence and is still there after this is killed."""

Owner = TypeVar("Owner")
"""The type of those who ask for births; the daemon's slots do."""


class Births(Generic[Owner]):
    """All children: those that are asked for, and by pid those that have said one."""

    def __init__(
        self,
        loop: Loop,
        log: EventLog,
        generations: Generations,
        is_vital: Callable[[Owner], bool] = lambda _: False,
        program_of: Callable[[Owner], Program | None] = lambda _: None,
    ) -> None:
        """``is_vital`` returns whether an owner may have the last descriptors, which the daemon keeps for its own.

        ``program_of`` returns what an owner runs that needs no project: the daemon starts it without a forkserver.
        """
        self._loop = loop
        self._log = log
        self._generations = generations
        self._is_vital = is_vital
        self._program_of = program_of
        self._expecting: dict[Child, Owner | None] = {}
        self._overdue: dict[Child, Timer] = {}
        self._retries: dict[Owner, Timer] = {}
        self._waiting: dict[Owner, None] = {}
        self._backoff = Backoff(RETRY_INITIAL_S, RETRY_MAX_S)
        self._rest_until = 0.0
        self._spares: list[Child] = []
        self._stale: set[int] = set()
        """The generations whose children cannot be spares any more."""
        self.children: dict[int, Child] = {}
        self.closed = False
        self.keeps_former: Callable[[Owner], bool] = lambda _: False
        """Whether an owner still runs the former generation's code; a rollout says so."""
        self.on_born: Listeners[[Owner, Child]] = Listeners()
        """Told of the child that an owner asked for; it has no licence yet."""
        self.on_failed: Listeners[[Owner]] = Listeners()
        """Told, after a while, that a birth has come to nothing: the owner may ask again."""
        self.on_delayed: Listeners[[Owner, str]] = Listeners()
        """Told why no process can be started for an owner that waits; with "" when nothing is known against it."""
        self.on_message: Listeners[[Child, Message]] = Listeners()
        """Told of every message of a child but its first, which is its pid."""
        generations.on_ready.add(self.generation_ready)
        generations.on_trouble.add(self.explain)
        generations.on_birth_failed.add(self.birth_failed)

    # questions of the reaper

    def owned_pids(self) -> Iterable[int]:
        """Return the pids of every child and forkserver."""
        return (*self.children, *(forkserver.pid for forkserver in self._generations.processes()))

    def owns(self, pid: int) -> bool:
        """Return whether ``pid`` is a child or a forkserver of this daemon."""
        return pid in self.children or self._generations.find(pid) is not None

    def end_group(self, pid: int) -> None:
        """Kill what an ended child has left in its group."""
        if pid in self.children:
            self.children[pid].kill_group()

    def living_runs(self) -> set[str]:
        """Return the marks of every child and forkserver."""
        forkservers = (forkserver.run for forkserver in self._generations.processes())
        return {*(child.run for child in self.children.values()), *forkservers}

    def open_births(self) -> OpenBirths | None:
        """Return which children may exist whose pids are not known yet."""
        numbers = [child.birth for child in self._expecting]
        return OpenBirths(min(numbers), max(numbers)) if numbers else None

    # requests of slots

    def bear(self, owner: Owner) -> None:
        """Find a child for ``owner``: a program of its own or a spare at once, or a birth."""
        if (program := self._program_of(owner)) is not None:
            self._start(program, owner)
            return
        former = self._generations.former if self.keeps_former(owner) else None
        forkserver = former or self._generations.current
        if self._spares and former is None:
            self.on_born(owner, self._spares.pop(0))
        elif forkserver is not None:
            self._ask(forkserver, owner)
        else:
            self._waiting[owner] = None
            self.explain()

    def explain(self) -> None:
        """Tell everybody who waits for a birth why there is none, where that is known."""
        for owner in tuple(self._waiting):
            self.on_delayed(owner, self._obstacle())

    def _obstacle(self) -> str:
        if trouble := self._generations.trouble:
            return say("no process can be started: ", trouble)
        return Reason(f"waiting for a process: {loading}") if (loading := self._generations.obstacle()) else ""

    def withdraw(self, owner: Owner) -> None:
        """Forget what ``owner`` asked for: the child that is being born becomes a spare, or ends without a licence."""
        self._waiting.pop(owner, None)
        if (timer := self._retries.pop(owner, None)) is not None:
            timer.cancel()
        for child, wished_by in self._expecting.items():
            if wished_by is owner:
                self._expecting[child] = None

    def replenish(self) -> None:
        """Have spares born ahead, while no other birth is under way."""
        forkserver = self._generations.current
        if self.closed or forkserver is None or self._expecting:
            return
        if self._loop.clock.monotonic() < self._rest_until:
            return
        for _ in range(SPARES - len(self._spares)):
            self._ask(forkserver, None)

    def close(self) -> None:
        """Have no more births: every spare and newborn reads end-of-file and ends."""
        self.closed = True
        self.drop_spares()
        for child in tuple(self._expecting):
            self._give_up(child)

    def drop_spares(self) -> None:
        """Let the spares go; they are reaped like any child."""
        for child in self._spares:
            self._dismiss(child)
        self._spares.clear()

    def let_go(self, child: Child) -> None:
        """Have a newborn that its owner cannot use end without a licence; it is reaped like any child."""
        self._dismiss(child)

    # news from the forkserver

    def generation_ready(self, replaced: bool) -> None:
        """Ask for every birth that waited; what a generation is bearing that was let go is asked of the new one."""
        if replaced:
            self._forget_other_generations()
        self.explain()
        waiting, self._waiting = self._waiting, {}
        for owner in waiting:
            self.bear(owner)

    def _forget_other_generations(self) -> None:
        self.drop_spares()
        current, former = self._generations.current, self._generations.former
        self._stale = {known.generation for known in self._generations.processes() if known is not current}
        for child, owner in tuple(self._expecting.items()):
            if owner is None or former is None or child.generation != former.generation:
                self._drop(child)
                if owner is not None:
                    self._waiting[owner] = None

    def birth_failed(self, birth: int, reason: str) -> None:
        """Try a birth again later that the forkserver could not do, or must not."""
        for child in tuple(self._expecting):
            if child.birth == birth:
                self._log.emit("birth.failed", reason=reason)
                self._give_up(child, reason)

    def forget(self, pid: int) -> Child:
        """Return the child of ``pid``, which was reaped and is known no longer."""
        child = self.children.pop(pid)
        child.ended = True
        if child in self._spares:
            self._spares.remove(child)
        return child

    def _start(self, program: Program, owner: Owner) -> None:
        """Start a program: the daemon's own fork tells the pid, so nobody has to say it."""
        try:
            child = Child.start(self._loop, self._log, program, self._heard, self._ended)
        except OSError as error:
            self._fail_to_ask(owner, error)
            return
        assert child.pid is not None
        self.children[child.pid] = child
        self.on_born(owner, child)

    def _ask(self, forkserver: Forkserver, owner: Owner | None) -> None:
        reserve = 0 if owner is not None and self._is_vital(owner) else RESERVE
        try:
            child = Child.conceive(self._loop, self._log, forkserver.generation, self._heard, self._ended, reserve)
        except OSError as error:
            self._fail_to_ask(owner, error)
            return
        self._expecting[child] = owner
        self._overdue[child] = self._loop.call_in(BIRTH_TIMEOUT_S, lambda: self._is_overdue(child))
        forkserver.bear(child, spare=owner is None)

    def _fail_to_ask(self, owner: Owner | None, error: OSError) -> None:
        reason = _describe(error)
        self._log.emit("birth.failed", reason=reason)
        self._retry(owner, reason)

    def _is_overdue(self, child: Child) -> None:
        self._log.emit("birth.overdue", generation=child.generation, seconds=BIRTH_TIMEOUT_S)
        self._give_up(child, Reason(f"none has started within {BIRTH_TIMEOUT_S:g} s"))
        self._generations.suspect(child.generation)

    def _heard(self, child: Child, message: Message) -> None:
        if not isinstance(message, Born):
            self.on_message(child, message)
        elif child in self._expecting:
            self._own(child, message.pid)

    def _own(self, child: Child, pid: int) -> None:
        owner = self._expecting.pop(child)
        self._overdue.pop(child).cancel()
        self._backoff.reset()
        child.own(pid)
        self.children[pid] = child
        if owner is not None and not self.closed:
            self.on_born(owner, child)
        elif self.closed or len(self._spares) >= SPARES or child.generation in self._stale:
            self._dismiss(child)
        else:
            child.was_spare = True
            self._spares.append(child)

    def _ended(self, child: Child) -> None:
        """Deal with end-of-file: before Born, no child came of the birth; after it, the child's end is reaped."""
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

    def _give_up(self, child: Child, reason: str = "") -> None:
        self._retry(self._drop(child), reason)

    def _drop(self, child: Child) -> Owner | None:
        """Want a birth no longer: its child reads end-of-file. Return whose it was to be."""
        owner = self._expecting.pop(child)
        self._overdue.pop(child).cancel()
        child.bury()
        return owner

    def _retry(self, owner: Owner | None, reason: str = "") -> None:
        if self.closed:
            return
        delay = self._backoff.next()
        if owner is not None:
            if reason:
                self.on_delayed(owner, say("waiting for a process: ", reason))
            self._retries[owner] = self._loop.call_in(delay, lambda: self._fail(owner))
        self._rest_until = self._loop.clock.monotonic() + delay

    def _fail(self, owner: Owner) -> None:
        del self._retries[owner]
        self.on_failed(owner)


def _describe(error: OSError) -> Reason:
    """Return why a child's channel, pipes and page could not be made, or the daemon could not fork it."""
    short = error.errno in {errno.EMFILE, errno.ENFILE}
    what = "the daemon is out of file descriptors" if short else "the kernel refuses its pipes or its fork"
    return Reason(f"{what}: {error}")

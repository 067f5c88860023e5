"""A child as the daemon knows it, from the request for its birth until it is reaped: one run at the most."""

import itertools
import os
import secrets
import signal
import time
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from workerd.daemon.io.child_output import ChildOutput
from workerd.daemon.io.link import Link
from workerd.daemon.io.log import EventLog
from workerd.daemon.io.loop import Loop, Timer
from workerd.daemon.rules.outcome import Evidence
from workerd.wire.channel import Channel
from workerd.wire.messages import Failed, License, Message
from workerd.wire.packets import WireError
from workerd.wire.page import HeartbeatPage
from workerd.wire.words import Outcome

from .memory import MemoryGrowth

if TYPE_CHECKING:
    from workerd.daemon.slots.slot import LiveSlot

    from .stack_dump import Dump

RECORD_SEPARATOR = "\x1e"
_births = itertools.count(1)


@dataclass(eq=False, slots=True)
class Child:
    """Its three descriptors here, its pid once it has said it, and what it has said; times are monotonic seconds."""

    birth: int
    generation: int
    link: Link
    output: ChildOutput
    page: HeartbeatPage
    theirs: tuple[int, int, int]
    """The ends that ride along with the request: channel, output, page."""
    asked_at: float
    pid: int | None = None
    slot: "LiveSlot | None" = None
    run: str = field(default_factory=lambda: str(uuid.uuid4()))
    mark: str = field(default_factory=lambda: RECORD_SEPARATOR + secrets.token_hex(8))
    was_spare: bool = False
    licensed_at: float | None = None
    born_wall: float | None = None
    loaded: bool = False
    ready_at: float | None = None
    ready_wall: float | None = None
    asked: bool = False
    dumped: bool = False
    dump: "Dump | None" = None
    """A dump that is under way."""
    buried: bool = False
    killed: bool = False
    verdict: Outcome | None = None
    verdict_reason: str = ""
    refusal: str = ""
    failed: Failed | None = None
    stack: str = ""
    growth: MemoryGrowth = field(default_factory=MemoryGrowth)
    age_factor: float | None = None
    appointment: Timer | None = None
    """When the watch comes back to it before its next look at all."""

    @classmethod
    def conceive(
        cls,
        loop: Loop,
        log: EventLog,
        generation: int,
        on_message: "Callable[[Child, Message], None]",
        on_end: "Callable[[Child], None]",
    ) -> "Child":
        """Open a child's channel, output pipe and heartbeat page. Raises OSError where descriptors have run out."""
        with ExitStack() as undo:  # else each try would make the shortage worse
            page = HeartbeatPage.create()
            undo.callback(page.close)
            their_page = os.dup(page.descriptor)
            undo.callback(os.close, their_page)
            ours, theirs = Channel.pair()
            undo.callback(ours.close)
            undo.callback(theirs.close)
            reading, writing = os.pipe()
            undo.pop_all()
        born: list[Child] = []
        link = Link(
            loop,
            ours,
            lambda message: on_message(born[0], message),
            lambda: on_end(born[0]),
            lambda error: born[0].complain(log, error),
        )
        child = cls(
            birth=next(_births),
            generation=generation,
            link=link,
            output=ChildOutput(loop, log, reading),
            page=page,
            theirs=(theirs.socket.detach(), writing, their_page),
            asked_at=loop.clock.monotonic(),
        )
        born.append(child)
        return child

    def complain(self, log: EventLog, error: WireError) -> None:
        """A job has written on its channel what no part of ours would."""
        log.emit("daemon.degraded", **self.identity, reason=f"nonsense on a child's channel was ignored: {error}")

    @property
    def identity(self) -> dict[str, Any]:
        """The fields of every event about this child."""
        slot = self.slot
        return {
            "pid": self.pid or 0,
            **({"job": slot.spec.name, "slot": slot.name, "run": self.run} if slot is not None else {}),
            "generation": self.generation,
        }

    @property
    def last_beat_wall(self) -> float | None:
        """Wall seconds of its last beat, None before the first."""
        beat = self.page.last_beat
        return time.time() - (time.monotonic_ns() - beat) / 1e9 if beat else None

    def license(self, slot: "LiveSlot", node: str, host: str, now: float, wall: float) -> None:
        """Send the licence to run as ``slot``."""
        self.slot = slot
        self.licensed_at, self.born_wall = now, wall
        assert self.pid is not None
        self.page.want_processes(slot.spec.processes)
        self.output.mark = f"{self.mark} ".encode()
        self.output.identity = self.identity
        spec = slot.spec.to_dict()
        self.link.send(License(spec, slot.index, self.run, self.generation, node, host, self.mark))
        self.growth.set_baseline(self.pid)  # after it: the child need not wait for what /proc says

    def become_ready(self, now: float, wall: float, log: EventLog) -> None:
        """It counts as running from now on."""
        assert self.licensed_at is not None
        self.ready_at, self.ready_wall = now, wall
        log.emit("child.ready", **self.identity, ms=round((now - self.licensed_at) * 1000, 1))

    def tell_stack(self, log: EventLog) -> str:
        """Log what it has written since it was asked for its stacks, and return that; nothing where it was not."""
        stack = "\n".join(line.decode("utf-8", "replace") for line in self.output.captured())
        if stack:
            log.emit("child.stack", **self.identity, stack=stack)
        return stack

    def set_verdict(self, outcome: Outcome, reason: str) -> None:
        """The verdict on this run, while it lives; the first one stands."""
        if self.verdict is None:
            self.verdict, self.verdict_reason = outcome, reason

    def signal(self, number: int) -> None:
        """Send a signal to the child itself; it is ours and not reaped, so the pid is its own."""
        if self.pid is not None:
            os.kill(self.pid, number)

    def kill_group(self) -> None:
        """SIGKILL to its whole group, which it leads."""
        if self.pid is None:
            return
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass  # the last of the group is gone
        except PermissionError:
            self.signal(signal.SIGKILL)  # a member has changed its user

    def evidence(self, stop_signal: int, out_of_memory: bool) -> Evidence:
        """Return what is known of its end beside the exit status."""
        exception = f"{self.failed.exception}: {self.failed.message}" if self.failed else ""
        return Evidence(
            verdict=self.verdict,
            verdict_reason=self.verdict_reason,
            asked=self.asked,
            killed=self.killed,
            stop_signal=stop_signal,
            refusal=self.refusal,
            exception=exception,
            out_of_memory=out_of_memory,
        )

    def bury(self) -> None:
        """Close everything of it here."""
        self.buried = True
        self.link.close()
        self.output.close()
        self.page.close()

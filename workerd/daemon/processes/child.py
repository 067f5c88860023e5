"""A child as the daemon knows it, from the request for its birth until it is reaped: at most one run."""

import errno
import itertools
import os
import resource
import signal
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from workerd.daemon.io.child_output import ChildOutput
from workerd.daemon.io.link import Link
from workerd.daemon.io.log import EventLog
from workerd.daemon.io.loop import Loop, Timer
from workerd.daemon.rules.clock import Clock
from workerd.daemon.rules.holdings import Holding
from workerd.daemon.rules.outcome import Evidence, ExitStatus
from workerd.wire.channel import Channel
from workerd.wire.messages import Failed, License, Message
from workerd.wire.packets import WireError
from workerd.wire.page import HeartbeatPage
from workerd.wire.reasons import Reason
from workerd.wire.spec import JobSpec
from workerd.wire.words import Outcome, Trigger, slot_name

from .frames import drop_our_frames
from .memory import MemoryGrowth
from .program import Program
from .signals import kill_all, send
from .usage import Usage

RECORD_SEPARATOR = "\x1e"
NO_GENERATION = 0
"""Of a child that no forkserver has started."""
_births = itertools.count(1)


@dataclass(eq=False, repr=False, slots=True)
class Child:
    """The daemon's descriptors of a child, its pid, and what it has said; times are monotonic seconds.

    The pid is None until the child has said it.
    """

    birth: int
    generation: int
    link: Link
    output: ChildOutput
    page: HeartbeatPage
    theirs: tuple[int, int, int, int]
    """The child's own ends, sent along with the request for its birth: channel, stdout, stderr, page."""
    asked_at: float
    pid: int | None = None
    owner: object | None = None
    """The slot that licensed it, which means nothing at this level; None for a spare."""
    identity: dict[str, Any] = field(default_factory=dict)
    """The fields of every event about this child."""
    run: str = field(default_factory=lambda: str(uuid.uuid4()))
    mark: str = field(default_factory=lambda: RECORD_SEPARATOR + os.urandom(8).hex())
    terms: dict[str, Any] = field(default_factory=dict)
    """The licence's further fields, by name."""
    due: float | None = None
    """The moment of its job's schedule that it runs for, in wall seconds (UTC); None where there is none."""
    trigger: str = ""
    seat: Holding | None = None
    """The seat that it runs for; None where its job has no seats."""
    seat_ended: str = ""
    """Why it is killed for its seat's sake, once it is."""
    started: int = 0
    """The process's start in clock ticks since the boot, where it has a seat: with the pid it names the process."""
    was_spare: bool = False
    licensed_at: float | None = None
    born_wall: float | None = None
    loaded: bool = False
    ready_at: float | None = None
    ready_wall: float | None = None
    asked: bool = False
    dumped: bool = False
    ended: bool = False
    """Whether it was reaped: its pid may be another process's."""
    buried: bool = False
    kill_reason: str = ""
    """Why the daemon has killed it; "" while it has not."""
    kill_refusal: str = ""
    """Why the kernel has refused to kill it."""
    verdict: Outcome | None = None
    verdict_reason: str = ""
    refusal: str = ""
    failed: Failed | None = None
    stack: str = ""
    growth: MemoryGrowth = field(default_factory=MemoryGrowth)
    usage: Usage = field(default_factory=Usage)
    age_factor: float | None = None
    appointment: Timer | None = None
    """When the watchdog comes back to this child, before its next look at all of them."""

    @classmethod
    def conceive(  # noqa: PLR0917 - what it is made with
        cls,
        loop: Loop,
        log: EventLog,
        generation: int,
        on_message: Callable[["Child", Message], None],
        on_end: Callable[["Child"], None],
        reserve: int = 0,
    ) -> "Child":
        """Open a child's channel, output pipes and heartbeat page; leave ``reserve`` descriptors for others.

        Raises OSError where descriptors have run out.
        """
        with ExitStack() as undo:  # else each try would make the shortage worse
            page = HeartbeatPage.create()
            undo.callback(page.close)
            their_page = os.dup(page.descriptor)
            undo.callback(os.close, their_page)
            ours, theirs = Channel.pair()
            undo.callback(ours.close)
            undo.callback(theirs.close)
            stdout, their_stdout = os.pipe()
            undo.callback(os.close, stdout)
            undo.callback(os.close, their_stdout)
            stderr, their_stderr = os.pipe()
            undo.callback(os.close, stderr)
            undo.callback(os.close, their_stderr)
            _refuse_to_take_the_last(reserve, stderr, their_stderr)
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
            output=ChildOutput(loop, log, stdout, stderr),
            page=page,
            theirs=(theirs.socket.detach(), their_stdout, their_stderr, their_page),
            asked_at=loop.clock.monotonic(),
        )
        child.identity = {"pid": 0, **child._code}
        born.append(child)
        return child

    @classmethod
    def start(
        cls,
        loop: Loop,
        log: EventLog,
        program: Program,
        on_message: Callable[["Child", Message], None],
        on_end: Callable[["Child"], None],
    ) -> "Child":
        """Start a program as a child of no generation; its channel and its page end its command line.

        Raises OSError where descriptors have run out, or the kernel refuses the fork.
        """
        child = cls.conceive(loop, log, NO_GENERATION, on_message, on_end)
        channel, stdout, stderr, page = child.theirs
        try:
            child.own(program.start(child.run, (stdout, stderr), (channel, page)))
        except OSError:
            child.bury()
            raise
        finally:
            for descriptor in child.theirs:
                os.close(descriptor)
        child.growth.begin_with_nothing()
        return child

    @property
    def _code(self) -> dict[str, Any]:
        """The field of events that tells which code it runs."""
        return {"generation": self.generation} if self.generation != NO_GENERATION else {}

    @property
    def killed(self) -> bool:
        """Whether the daemon has sent it KILL, or tried to."""
        return bool(self.kill_reason)

    def complain(self, log: EventLog, error: WireError) -> None:
        """Log that something came on the channel that no part of workerd sends: the job's own code wrote it."""
        log.emit("protocol.violated", **self.identity, reason=f"a message from the job's process was ignored: {error}")

    def own(self, pid: int) -> None:
        """Take note of the pid that the child has said: from now on the daemon can end and reap it."""
        self.pid = pid
        self.identity = {"pid": pid, **self._code}

    def late_s(self, clock: Clock) -> float | None:
        """Return how long ago it was due by its schedule; None where it runs for another reason."""
        asked_by_schedule = self.trigger in {Trigger.SCHEDULE, Trigger.CATCH_UP}
        return max(0.0, round(clock.wall() - self.due, 3)) if self.due is not None and asked_by_schedule else None

    def last_beat_wall(self, clock: Clock) -> float | None:
        """Return the wall seconds of its last beat, None before the first."""
        beat = self.page.last_beat
        return clock.wall() - (clock.monotonic() - beat) if beat else None

    def license(  # noqa: PLR0917 - what the licence says
        self, owner: object, spec: JobSpec, index: int, node: str, host: str, clock: Clock
    ) -> None:
        """Send the licence to run as slot ``index`` of the job."""
        assert self.pid is not None
        self.owner = owner
        self.licensed_at, self.born_wall = clock.monotonic(), clock.wall()
        self.usage.begin(self.licensed_at)
        slot = slot_name(spec.name, index, spec.processes)
        self.identity = {"pid": self.pid, "job": spec.name, "slot": slot, "run": self.run, **self._code}
        self.page.want_processes(spec.processes)
        self.output.mark = self.mark.encode()
        self.output.identity = dict(self.identity)
        token = self.seat.token if self.seat is not None else None
        values = spec.to_dict(), index, self.run, self.generation, node, host, self.mark, self.due, token
        self.link.send(License(*values, **self.terms))
        if self.generation != NO_GENERATION:
            self.growth.set_baseline(self.pid)  # after the licence: the child need not wait for what /proc says

    def follow(self, spec: JobSpec, index: int) -> None:
        """Tell the running child how many processes are wanted now, and go by the slot's name of now."""
        self.page.want_processes(spec.processes)
        if self.owner is not None:
            self.identity["slot"] = slot_name(spec.name, index, spec.processes)

    def become_ready(self, clock: Clock, log: EventLog) -> None:
        """Count the child as running from now on."""
        assert self.licensed_at is not None
        self.ready_at, self.ready_wall = clock.monotonic(), clock.wall()
        log.emit("child.ready", **self.identity, ms=round((self.ready_at - self.licensed_at) * 1000, 1))

    def tell_hang(self, log: EventLog, silent_s: float, limit_s: float) -> None:
        """Log that the child hangs, with what it last said it was doing."""
        note = self.page.read_note() or None
        log.emit("child.hung", **self.identity, silent_s=round(silent_s, 3), timeout_s=limit_s, note=note)

    def tell_stack(self, log: EventLog) -> str:
        """Log the stacks that the child has written since it was asked for them, and return them; "" for none."""
        stack = drop_our_frames("\n".join(line.decode("utf-8", "replace") for line in self.output.captured()))
        if stack:
            log.emit("child.stack", **self.identity, stack=stack)
        return stack

    def set_verdict(self, outcome: Outcome, reason: str) -> None:
        """Say what this run will have come to, while it still lives; the first verdict stands."""
        if self.verdict is None:
            self.verdict, self.verdict_reason = outcome, reason

    def signal(self, number: int, log: EventLog) -> str:
        """Send a signal to the child alone, not to its group; log and return why it could not be sent."""
        reason = "" if self.pid is None or self.ended else send(self.pid, number)
        if reason:
            self._tell_refusal(number, reason, log)
        return reason

    def kill(self, log: EventLog, reason: str) -> None:
        """Kill the child's group, and log why."""
        if self.ended:
            return
        self.kill_reason = self.kill_reason or reason
        refusal = self.kill_group()
        log.emit("child.killed", **self.identity, reason=reason)
        if refusal:
            self.kill_refusal = f"it could not be sent: {refusal}"
            self._tell_refusal(signal.SIGKILL, refusal, log)

    def kill_group(self) -> str:
        """Send SIGKILL to the child and to the whole group that it leads; return why it could not be sent."""
        return "" if self.pid is None or self.ended else kill_all(self.pid)

    def _tell_refusal(self, number: int, reason: str, log: EventLog) -> None:
        log.emit("child.not_signalled", **self.identity, signal=ExitStatus(signal=number).signal_name, reason=reason)

    def evidence(self, stop_signal: int, out_of_memory: bool) -> Evidence:
        """Return what is known of the child's end beside its exit status."""
        failed = self.failed
        exception = Reason(f"{failed.exception}: {failed.message}", failed.exception) if failed else ""
        return Evidence(
            verdict=self.verdict,
            verdict_reason=self.verdict_reason,
            asked=self.asked,
            kill_reason=self.kill_reason,
            stop_signal=stop_signal,
            refusal=self.refusal,
            exception=exception,
            out_of_memory=out_of_memory,
        )

    def bury(self) -> None:
        """Close the daemon's ends of the channel, the output pipes and the page, and what samples have open."""
        self.buried = True
        self.usage.close()
        self.link.close()
        self.output.close()
        self.page.close()


def _refuse_to_take_the_last(reserve: int, *descriptors: int) -> None:
    """Raise OSError where these are among the last ``reserve``: the kernel gives out the lowest number that is free."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    kept = min(reserve, limit // 8)
    if max(descriptors) >= limit - kept:
        raise OSError(errno.EMFILE, f"{os.strerror(errno.EMFILE)} (the last {kept} of {limit} are the daemon's own)")

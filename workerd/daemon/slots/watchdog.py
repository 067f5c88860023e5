"""The watchdog over beats, memory and age: looks only at slots with a limit, and at all of them once a second."""

from collections.abc import Callable, Iterator
from random import Random

from workerd.daemon.io.log import EventLog
from workerd.daemon.io.loop import Loop
from workerd.daemon.processes.child import Child
from workerd.daemon.rules.facts import Fact
from workerd.durations import format_duration
from workerd.wire.words import Heartbeat, Outcome

from .lifecycle import Lifecycle
from .slot import LiveSlot

LOOK_S = 1.0
MEMORY_LOOK_S = 10.0
NEAR = 0.8
"""Above this share of its limit a child's memory is looked at every second."""
HARD = 1.25
"""Above this many times its limit it is killed at once."""
AGE_SPREAD = 0.1
HEARD = 0.5
"""Output within this share of the limit was not the child's own: a line that it prints is a beat as well."""
UNCOUNTED = "though its other processes, or C code, still write: heartbeat “group” counts that"


class Watchdog:
    """Looks at every running slot with a limit; a child beyond its limit gets a verdict and DEADLINE_PASSED."""

    def __init__(  # noqa: PLR0917 - the parts that it ties together
        self,
        loop: Loop,
        log: EventLog,
        lifecycle: Lifecycle,
        slots: Callable[[], Iterator[LiveSlot]],
        on_recycled: Callable[[LiveSlot, str], None],
        obstacle: Callable[[], str],
    ) -> None:
        """``obstacle`` returns why no process can be started now; a child that may as well go on is then left."""
        self._loop = loop
        self._log = log
        self._lifecycle = lifecycle
        self._slots = slots
        self._on_recycled = on_recycled
        self._obstacle = obstacle
        self._random = Random()
        self._looking = False
        self._watched: dict[LiveSlot, None] = {}
        """The slots that ran at the last look, or have come to run since, and have a limit."""
        self._unknown: set[str] = set()
        """The jobs whose memory cannot be known, once that is said."""
        lifecycle.on_changed.add(self.wake)

    def wake(self, slot: LiveSlot) -> None:
        """Look at ``slot``, which may have a limit now, and go on to look at all."""
        if slot.is_running and _has_limit(slot):
            self._watched[slot] = None
            self._loop.call_soon(lambda: self._judge_beat(slot))
            if slot.has_taken:
                self._loop.call_soon(lambda: self._judge_age(slot, self._loop.clock.monotonic()))
            if not self._looking:
                self._schedule()

    def _schedule(self) -> None:
        self._looking = True
        self._loop.call_in(LOOK_S, self._look)

    def _look(self) -> None:
        self._looking = False
        now = self._loop.clock.monotonic()
        if self._unknown:
            self._unknown.intersection_update(slot.spec.name for slot in self._slots())
        # Only those that run: a thousand slots that rest cost nothing here.
        self._watched = {slot: None for slot in self._watched if slot.is_running and _has_limit(slot)}
        for slot in tuple(self._watched):
            self._judge_beat(slot)
            if slot.is_running:
                self._judge_memory(slot, now)
            if slot.is_running:
                self._judge_age(slot, now)
        if self._watched:
            self._schedule()

    # beats

    def _judge_beat(self, slot: LiveSlot) -> None:
        child, limit = slot.child, slot.spec.heartbeat_timeout
        if child is None or child.ended or limit is None or not slot.is_running or child.ready_at is None:
            return
        limit = child.page.within or limit
        last, now = _last_sign(slot, child), self._loop.clock.monotonic()
        due = max(last + limit, slot.limit_since + limit, self._loop.pardon(limit))
        if due > now:
            if due < now + LOOK_S:
                self._judge_again_at(due, slot, child)
            return
        child.output.look()  # it may have said something that is not read yet
        if _last_sign(slot, child) == last:
            self._hang(slot, child, now - last, limit)

    def _judge_again_at(self, due: float, slot: LiveSlot, child: Child) -> None:
        """Judge this child again at ``due``, before the next look at all; a child has at most one such appointment."""
        if child.appointment is not None:
            child.appointment.cancel()
        child.appointment = self._loop.call_at(due, lambda: self._judge_again(slot, child))

    def _judge_again(self, slot: LiveSlot, child: Child) -> None:
        if slot.child is child:
            self._judge_beat(slot)

    def _hang(self, slot: LiveSlot, child: Child, silent_s: float, limit: float) -> None:
        heard = self._loop.clock.monotonic() - child.output.heard_at < HEARD * limit
        uncounted = f", {UNCOUNTED}" if heard and slot.spec.heartbeat == Heartbeat.ANY else ""
        child.set_verdict(Outcome.HUNG, f"no sign of life for {limit:g} s{uncounted}")
        child.tell_hang(self._log, silent_s, limit)
        self._lifecycle.apply(slot, Fact.DEADLINE_PASSED, hung=True)

    # memory and age

    def _judge_memory(self, slot: LiveSlot, now: float) -> None:
        child, limit = slot.child, slot.spec.max_memory
        if child is None or child.ended or child.pid is None or limit is None or now < child.growth.due:
            return
        grown, child.growth.looked_at = child.growth.look(child.pid), now
        child.growth.due = now + (0.0 if grown is not None and grown > NEAR * limit else MEMORY_LOOK_S)
        if grown is None:
            self._tell_unknown(slot, limit)
            return
        if grown <= limit or (grown <= HARD * limit and self._obstacle()):
            return
        child.set_verdict(
            Outcome.OVER_MEMORY, f"its own memory grew by {grown:.0f} MiB, over its limit of {limit:g} MiB"
        )
        self._log.emit("child.over_memory", **slot.identity, memory_mib=round(grown, 1), limit_mib=limit)
        self._lifecycle.apply(slot, Fact.DEADLINE_PASSED)
        if grown > HARD * limit:
            child.kill(self._log, f"its own memory is more than {HARD:g} times its limit")

    def _tell_unknown(self, slot: LiveSlot, limit: float) -> None:
        """Say once for the job that its limit cannot be kept."""
        if slot.spec.name not in self._unknown:
            self._unknown.add(slot.spec.name)
            reason = "/proc does not show the daemon the memory of this process (hidepid, or another user)"
            self._log.emit("child.memory_unknown", **slot.identity, limit_mib=limit, reason=reason)

    def _judge_age(self, slot: LiveSlot, now: float) -> None:
        child, limit = slot.child, slot.spec.max_age
        if child is None or child.ended or limit is None or child.licensed_at is None or not slot.is_running:
            return
        if slot.has_taken:
            self._judge_run(slot, child, child.licensed_at + limit - now)
            return
        if child.age_factor is None:
            child.age_factor = self._random.uniform(1 - AGE_SPREAD, 1 + AGE_SPREAD)
        if now - child.licensed_at >= limit * child.age_factor and not self._obstacle():
            self._on_recycled(slot, f"it is older than its longest life of {limit:g} s (± 10 %)")

    def _judge_run(self, slot: LiveSlot, child: Child, left: float) -> None:
        """End a scheduled run at exactly the age that its row allows; its stack says what it did."""
        if left > LOOK_S:
            return
        if left > 0:
            self._loop.call_in(left, lambda: self._judge_age_of(slot, child))
            return
        limit = slot.spec.max_age or 0.0
        child.set_verdict(Outcome.OVERTIME, f"it ran for longer than {format_duration(limit)}, its longest run")
        self._log.emit("job.overtime", **slot.identity, limit_s=limit, note=child.page.read_note() or None)
        self._lifecycle.apply(slot, Fact.DEADLINE_PASSED, hung=True)

    def _judge_age_of(self, slot: LiveSlot, child: Child) -> None:
        if slot.child is child:
            self._judge_age(slot, self._loop.clock.monotonic())


def _last_sign(slot: LiveSlot, child: Child) -> float:
    """Return the monotonic time of the last sign of life that counts; becoming ready is the first."""
    heard = child.output.heard_at if slot.spec.heartbeat == Heartbeat.GROUP else 0.0
    return max(child.page.last_beat, heard, child.ready_at or 0.0)


def _has_limit(slot: LiveSlot) -> bool:
    spec = slot.spec
    return spec.heartbeat_timeout is not None or spec.max_memory is not None or spec.max_age is not None

"""The end of a child: heard out, judged, recorded, and what the restart policy makes of it."""

import signal
from collections.abc import Callable
from random import Random

from workerd.daemon.io.log import EventLog
from workerd.daemon.io.loop import Loop
from workerd.daemon.io.records import Records
from workerd.daemon.processes.child import Child
from workerd.daemon.processes.oom import OomCounter
from workerd.daemon.rules.facts import Fact, Next
from workerd.daemon.rules.outcome import Exit, judge
from workerd.daemon.rules.restart import End, decide
from workerd.wire.words import Outcome

from .effects import stop_signal
from .lifecycle import Lives
from .rows import run_row
from .slot import Slot

DOUBT_S = 40.0
"""As long as a ledger may take to find its database out; a child that misses it is believed for this long."""
GOOD = frozenset({Outcome.STOPPED, Outcome.FINISHED, Outcome.RECYCLED})


class Ends:
    """Takes reaped children; ``database_out`` says whether an alias is known to be unreachable, None for perhaps."""

    def __init__(
        self, loop: Loop, log: EventLog, records: Records, lives: Lives, database_out: Callable[[str], bool | None]
    ) -> None:
        self._loop = loop
        self._log = log
        self._records = records
        self._lives = lives
        self._database_out = database_out
        self._random = Random()
        self._oom = OomCounter()

    def take(self, child: Child, end: Exit) -> None:
        """Read what it still said, judge, record, and let its slot go on. A spare is merely buried."""
        child.link.read_all()
        child.output.drain()
        child.stack = child.tell_stack(self._log) or child.stack
        child.growth.end(end.peak_rss)
        slot = child.slot
        if slot is not None:
            self._conclude(slot, child, end)
            slot.child, slot.unkillable = None, False
        child.bury()
        if slot is not None:
            self._lives.tell(slot, Fact.EXITED)

    def _conclude(self, slot: Slot, child: Child, end: Exit) -> None:
        now = self._loop.clock.monotonic()
        oom = end.signal == signal.SIGKILL and not child.killed and self._oom.has_risen()
        outcome, reason = judge(end, child.testimony(stop_signal(slot.spec), oom))
        ended = End(
            outcome=outcome,
            asked=child.asked and child.fallen is None,
            exit_code=end.code,
            ready_s=now - child.ready_at if child.ready_at is not None else None,
            database_out=self._is_database_out(slot, child, now),
            reason=reason,
        )
        slot.outcome, slot.end_reason, slot.misses_database = outcome, reason, ended.database_out
        slot.decision = decide(slot.spec, slot.history, ended, now, self._random)
        if slot.wanted and slot.decision.next in {Next.AGAIN, Next.LATER, Next.WAIT}:
            slot.restarts += 1
        self._say(slot, child, end, (outcome, reason), ended.asked or outcome in GOOD)
        if outcome is Outcome.REFUSED:
            self._log.emit("job.refused", **slot.identity, reason=reason)
        if not slot.builtin:
            self._record(slot, child, end, outcome, reason)

    def _is_database_out(self, slot: Slot, child: Child, now: float) -> bool:
        """Whether it ended for want of a database that the ledger does not reach either, or has not tried since."""
        alias = child.failed.unreachable if child.failed else ""
        out = self._database_out(alias) if alias else False
        if out is not None:
            slot.doubted_since = None
            return out
        if slot.doubted_since is None:
            slot.doubted_since = now
        return now - slot.doubted_since < DOUBT_S

    def _say(self, slot: Slot, child: Child, end: Exit, judged: tuple[Outcome, str], good: bool) -> None:
        since = child.licensed_at or child.asked_at
        self._log.emit(
            "child.exited",
            level="info" if good else "error",
            **slot.identity,
            outcome=judged[0].value,
            exit_code=end.code,
            signal=end.signal_name,
            reason=judged[1],
            seconds=round(self._loop.clock.monotonic() - since, 3),
        )

    def _record(self, slot: Slot, child: Child, end: Exit, outcome: Outcome, reason: str) -> None:
        if outcome is Outcome.REFUSED:
            slot.problem = reason
            self._records.put("problem", slot.spec.name, {"problem": reason})
        self._records.put("run", child.run, run_row(child, slot, end, outcome, self._loop.clock.wall()))

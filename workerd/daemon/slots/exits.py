"""The end of a child: its last words are read, its outcome is found and recorded, its restart is decided."""

import signal
from collections.abc import Callable
from random import Random

from workerd.daemon.io.listeners import Listeners
from workerd.daemon.io.log import EventLog
from workerd.daemon.io.loop import Loop
from workerd.daemon.io.records import RecordQueue
from workerd.daemon.processes.child import Child
from workerd.daemon.processes.oom import OomCounter
from workerd.daemon.rules.facts import Fact, Next
from workerd.daemon.rules.outcome import Evidence, ExitStatus, classify
from workerd.daemon.rules.restart import EndedRun, decide
from workerd.daemon.rules.turns import decide_turn
from workerd.wire.reasons import public_part
from workerd.wire.words import GOOD, Outcome

from .effects import REFUSED, stop_signal
from .lifecycle import Lifecycle
from .rows import run_row
from .slot import LiveSlot, slot_of


class Exits:
    """Takes reaped children."""

    def __init__(
        self,
        loop: Loop,
        log: EventLog,
        records: RecordQueue,
        lifecycle: Lifecycle,
    ) -> None:
        self._loop = loop
        self._log = log
        self._records = records
        self._lifecycle = lifecycle
        self.on_ended: Listeners[[LiveSlot, Child, EndedRun]] = Listeners()
        """Told of each run that has ended, when its slot has gone on."""
        self.curve_of: Callable[[LiveSlot, Child], str] = lambda _slot, _child: ""
        """Returns the samples of a run that has ended, as text."""
        self._random = Random()
        self._oom = OomCounter()

    def conclude(self, child: Child, end: ExitStatus) -> None:
        """Read what a reaped child still said, then close its run and let its slot go on; a spare has no run.

        A child that has printed much delays its own slot with that, and no other.
        """
        slot = slot_of(child)
        try:
            child.link.read_all()
        finally:
            oom = end.signal == signal.SIGKILL and not child.killed and self._oom.has_risen()
            evidence = child.evidence(stop_signal(slot.spec) if slot is not None else signal.SIGTERM, oom)
            if slot is not None:
                slot.disarm()  # nothing can be asked of the child any more
            child.output.finish(lambda: self._let_go(child, end, evidence))

    def _let_go(self, child: Child, end: ExitStatus, evidence: Evidence) -> None:
        slot = slot_of(child)
        ended = None
        try:
            child.stack = child.tell_stack(self._log) or child.stack
            child.growth.end(end.peak_rss)
            if slot is not None:
                ended = self._close_run(slot, child, end, evidence)
        finally:
            if slot is not None:
                slot.child, slot.unkillable = None, False
            try:
                child.bury()
            finally:
                if slot is not None:
                    self._lifecycle.apply(slot, Fact.EXITED)
        if slot is not None and ended is not None:
            self.on_ended(slot, child, ended)

    def _close_run(self, slot: LiveSlot, child: Child, end: ExitStatus, evidence: Evidence) -> EndedRun:
        now = self._loop.clock.monotonic()
        outcome, reason = classify(end, evidence)
        ended = EndedRun(
            outcome=outcome,
            asked=evidence.asked and evidence.verdict is None,
            exit_code=end.code,
            ready_s=now - child.ready_at if child.ready_at is not None else None,
            lived_s=now - (child.licensed_at or child.asked_at),
            database_out=bool(child.failed and child.failed.unreachable),
            reason=reason,
            outage=child.failed.outage if child.failed else "",
            lost_session=bool(child.failed and child.failed.lost_session),
            oom_killed=outcome is Outcome.CRASHED and evidence.out_of_memory,
        )
        slot.last_run = child.run
        slot.outcome, slot.end_reason, slot.misses_database = outcome, reason, ended.database_out
        policy = decide_turn if slot.runs_at_times else decide
        slot.decision = policy(slot.spec, slot.history, ended, now, self._random)
        if slot.wanted and slot.decision.next in {Next.AGAIN, Next.LATER, Next.WAIT}:
            slot.restarts += 1
        self._say(slot, child, end, (outcome, reason), ended.asked or outcome in GOOD)
        if outcome is Outcome.REFUSED:
            slot.sound = False
            self._log.emit("job.refused", **slot.identity, reason=reason)
        if not slot.builtin:
            self._record(slot, child, end, outcome, reason)
        return ended

    def _say(self, slot: LiveSlot, child: Child, end: ExitStatus, judged: tuple[Outcome, str], good: bool) -> None:
        since = child.licensed_at or child.asked_at
        self._log.emit(
            "child.exited",
            level="info" if good else "error",
            **slot.identity,
            outcome=judged[0].value,
            exit_code=end.code,
            signal=end.signal_name,
            reason=REFUSED if judged[0] is Outcome.REFUSED else judged[1],
            seconds=round(self._loop.clock.monotonic() - since, 3),
        )

    def _record(self, slot: LiveSlot, child: Child, end: ExitStatus, outcome: Outcome, reason: str) -> None:
        if outcome is Outcome.REFUSED:
            slot.problem = reason
            row = {"problem": reason, "public_problem": public_part(reason)}
            self._records.add("problem", slot.spec.name, row)
        row = run_row(child, slot, end, outcome, self._loop.clock.wall(), samples=self.curve_of(slot, child))
        slot.finished_row = row if outcome is Outcome.FINISHED else None
        self._records.add("run", child.run, row)

"""Raises alerts about slots: parked, hung, out of memory, down, in a circle, and what became of a time."""

from typing import Any

from workerd.daemon.io.alert_queue import AlertQueue
from workerd.daemon.io.loop import Loop
from workerd.daemon.io.patience import Patience
from workerd.daemon.processes.child import Child
from workerd.daemon.rules.alerts import BY_ITSELF, Alert, Ends
from workerd.daemon.rules.restart import EndedRun
from workerd.durations import format_duration
from workerd.wire.config import AlertTimes
from workerd.wire.labels import labels_of
from workerd.wire.reasons import Reason, say
from workerd.wire.words import FAILURES, Outcome

from .due_records import DueRecords
from .exits import Exits
from .lifecycle import Lifecycle
from .slot import LiveSlot

OF_TIMES = ("missed", "failed")
KINDS = ("parked", "hung", "out_of_memory", "circle", "down", *OF_TIMES)


class SlotAlerts:
    """Judges a slot after each fact that it was told, each run of it that has ended, and each time that it missed."""

    def __init__(  # noqa: PLR0917 - the parts that it ties together
        self,
        loop: Loop,
        queue: AlertQueue,
        lifecycle: Lifecycle,
        exits: Exits,
        due_records: DueRecords,
        times: AlertTimes,
    ) -> None:
        self._clock = loop.clock
        self._queue = queue
        self._lifecycle = lifecycle
        self._times = times
        self._raised: dict[LiveSlot, set[str]] = {}
        """By slot: the kinds of alerts that hold for it."""
        self._ends: dict[LiveSlot, Ends] = {}
        self._down: Patience[LiveSlot] = Patience(loop, self._is_down_for_long)
        self._circling: Patience[LiveSlot] = Patience(loop, self._may_be_calm)
        lifecycle.on_changed.add(self._judge)
        exits.on_ended.add(self._ended)
        due_records.on_missed.add(self._judge)

    def _judge(self, slot: LiveSlot) -> None:
        if slot.builtin or self._lifecycle.stopping:
            return
        if slot.doomed:
            self._forget(slot)
            return
        if slot.is_parked:
            self._raise(slot, "parked", say("it was given up: ", slot.reason))
        else:
            self._end(slot, "parked")
        if slot.child is not None and slot.child.verdict is Outcome.HUNG:
            self._raise(slot, "hung", Reason(slot.child.verdict_reason))
        elif slot.is_running or not slot.wanted:
            self._end(slot, "hung", "out_of_memory")
        self._judge_whether_down(slot)
        if slot.dues is not None:
            self._judge_times(slot)

    def _judge_whether_down(self, slot: LiveSlot) -> None:
        should_run = slot.spec.significant and slot.wanted and not (slot.is_done or slot.runs_at_times)
        if should_run and not slot.is_running:
            self._down.begin(slot, self._times.down_s)
        else:
            self._down.end(slot)
            self._end(slot, "down")

    def _judge_times(self, slot: LiveSlot) -> None:
        assert slot.dues is not None
        outcome = slot.dues.outcome
        if outcome is Outcome.MISSED:
            why = slot.dues.missed_last.reason if slot.dues.missed_last is not None else ""
            self._raise(slot, "missed", say("nothing ran at its time: ", why))
        elif outcome in FAILURES:
            self._raise(slot, "failed", say(f"its run came to “{outcome.value}”: ", slot.end_reason))

    def _ended(self, slot: LiveSlot, child: Child, end: EndedRun) -> None:
        if slot.builtin or self._lifecycle.stopping or slot.doomed:
            return
        if end.outcome is Outcome.HUNG:
            self._raise(slot, "hung", end.reason, run=child.run)
        elif end.outcome is Outcome.OVER_MEMORY or end.oom_killed:
            self._raise(slot, "out_of_memory", end.reason, run=child.run)
        by_itself = end.outcome in BY_ITSELF and not end.asked
        if by_itself and self._times.circle_ends and not slot.runs_at_times:
            self._note_end(slot, child)
        if end.outcome is Outcome.FINISHED and slot.dues is not None:
            self._succeeded(slot)
        self._judge(slot)

    def _succeeded(self, slot: LiveSlot) -> None:
        """Say that all is well at its times, also of what a daemon before this one has said."""
        self._raised.get(slot, set()).difference_update(OF_TIMES)
        for kind in OF_TIMES:
            self._queue.end_alert(self._alert(slot, kind, Reason("a run has finished")))

    # what has to last

    def _is_down_for_long(self, slot: LiveSlot) -> None:
        own = f"it is significant and has not run for {format_duration(self._times.down_s)}; it is {slot.state.value}"
        self._raise(slot, "down", say(own, say(": ", slot.reason) if slot.reason else ""))

    def _note_end(self, slot: LiveSlot, child: Child) -> None:
        ends = self._ends.setdefault(slot, Ends(self._times.circle_ends, self._times.circle_s))
        now = self._clock.monotonic()
        if ends.note(now):
            often = f"{self._times.circle_ends} of its runs ended within {format_duration(self._times.circle_s)}"
            self._raise(slot, "circle", say(f"{often}, the last one: ", slot.end_reason), run=child.run)
            self._circling.begin(slot, ends.calm_in(now))

    def _may_be_calm(self, slot: LiveSlot) -> None:
        now = self._clock.monotonic()
        left = self._ends[slot].calm_in(now) if slot in self._ends else 0.0
        if left > 0:
            self._circling.begin(slot, left)
        else:
            self._end(slot, "circle")

    # one alert

    def _raise(self, slot: LiveSlot, kind: str, text: str, run: str = "") -> None:
        raised = self._raised.setdefault(slot, set())
        if kind not in raised:
            raised.add(kind)
            self._queue.raise_alert(self._alert(slot, kind, text, run))

    def _end(self, slot: LiveSlot, *kinds: str) -> None:
        raised = self._raised.get(slot)
        if not raised:
            return
        for kind in kinds:
            if kind in raised:
                raised.discard(kind)
                self._queue.end_alert(self._alert(slot, kind, say("it is ", slot.state.value)))

    def _forget(self, slot: LiveSlot) -> None:
        self._down.end(slot)
        self._circling.end(slot)
        self._end(slot, *KINDS)
        self._raised.pop(slot, None)
        self._ends.pop(slot, None)

    def _alert(self, slot: LiveSlot, kind: str, text: str, run: str = "") -> Alert:
        run = run or (slot.child.run if slot.child is not None else slot.last_run)
        return Alert(kind, subject_of(slot), text, about_slot(slot) | {"run": run})


def subject_of(slot: LiveSlot) -> str:
    """Return ``mail-outbox:0``, which an edit of the number of processes leaves as it is."""
    return f"{slot.spec.name}:{slot.index}"


def about_slot(slot: LiveSlot) -> dict[str, Any]:
    """Return the fields of an alert that tell which job it concerns."""
    return {"job": slot.spec.name, "slot": slot.name, "labels": labels_of(slot.spec.labels)}

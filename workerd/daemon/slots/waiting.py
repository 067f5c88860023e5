"""Says what a slot waits for, or why it rests: no state but RUNNING is without a reason."""

from collections.abc import Callable

from workerd.durations import format_duration
from workerd.wire.reasons import Reason, say
from workerd.wire.words import GOOD, ITS_TIME, LAST_RUN, State

from .slot import LiveSlot


def explain(slot: LiveSlot) -> str:
    """Return why the slot is as it is; "" where it runs."""
    if slot.reason or slot.state is State.RUNNING:
        return slot.reason
    described = _OF_STATE.get(slot.state)
    return described(slot) if described is not None else slot.decision.reason


def _starting(slot: LiveSlot) -> Reason:
    child, spec = slot.child, slot.spec
    if child is None or child.licensed_at is None:
        return Reason("waiting for a process, which is being started")
    if not child.loaded:
        return Reason(f"loading its code, for {format_duration(spec.start_timeout)} at most")
    if spec.signals_ready:
        return Reason(f"waiting for context.ready(), for {format_duration(spec.start_timeout)} at most")
    return Reason(f"counts as running once it has lived for {format_duration(spec.start_grace)}")


def _stopping(slot: LiveSlot) -> str:
    child = slot.child
    if child is None:
        return Reason("waiting for its process to end")
    why = child.verdict_reason or slot.cause or Reason("asked to stop")
    if child.killed:
        return say("SIGKILL was sent; ", why)
    if not child.asked:
        return say("its stack is being taken; ", why)
    return say("", why, Reason(f"; killed unless it ends within {format_duration(slot.spec.stop_timeout)}"))


def _stopped(slot: LiveSlot) -> str:
    if slot.waits_for_seat:
        return slot.seat_reason or Reason("waiting for a seat of the fleet")
    if not slot.builtin and not slot.spec.enabled:
        return Reason("disabled in its row")
    if slot.held:
        return say("", slot.cause or Reason("stopped by an operator"), Reason(", until “start”"))
    return slot.cause


def describe_rest(slot: LiveSlot) -> str:
    """Return which due moment a slot waits for, and how its last run failed, if it did."""
    from workerd.wire.schedule import local_text

    moment = slot.dues.next if slot.dues is not None else None
    time = Reason(f"{ITS_TIME}{local_text(moment, slot.spec.time_zone)}" if moment is not None else "no time is known")
    failed = slot.outcome is not None and slot.outcome not in GOOD
    return say("", time, say(LAST_RUN, slot.decision.reason or slot.end_reason)) if failed else time


def _done(slot: LiveSlot) -> str:
    over = Reason(f"its schedule, “{slot.spec.schedule}”, has no further time")
    return say("", slot.decision.reason) or (over if slot.runs_at_times else slot.decision.reason)


_OF_STATE: dict[State, Callable[[LiveSlot], str]] = {
    State.STOPPED: _stopped,
    State.WAITING: lambda _: Reason("waiting for its turn to start: others are loading"),
    State.STARTING: _starting,
    State.STOPPING: _stopping,
    State.DONE: _done,
}
"""The other states come of the restart policy's decision, which has its own reason."""

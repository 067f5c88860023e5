"""``trigger``: whom it suits, and what becomes of a run that it asked for, until the run and its retries have ended."""

from dataclasses import dataclass

from workerd.daemon.rules.dues import Due
from workerd.daemon.slots.slot import LiveSlot
from workerd.wire.reasons import Reason, say
from workerd.wire.words import Outcome, Overlap, Trigger


@dataclass(slots=True)
class Triggered:
    """A run that was asked for; it has ``begun`` when a process was started for it."""

    due: Due
    begun: bool = False


def refuse(slot: LiveSlot) -> str:
    """Return why the slot's job cannot be run now, and what to do; "" where it can."""
    if not slot.runs_at_times:
        return "it has no schedule, so that it runs always: “restart” starts it anew"
    if not slot.spec.enabled:
        return "it is disabled: enable its row, or run it here with “workerd once”"
    if not slot.wanted:
        return "it is stopped: start it first"
    if slot.is_parked:
        return say("it is parked: ", slot.reason, Reason(". Correct it, or resume it first"))
    if slot.is_alive and slot.spec.overlap == Overlap.SKIP and waits_to_start(slot) is None:
        pid = f" with pid {slot.child.pid}" if slot.child is not None and slot.child.pid is not None else ""
        return f"it is running{pid}, and its row's overlap is “skip”"
    return ""


def waits_to_start(slot: LiveSlot) -> Due | None:
    """Return what the slot is about to start for anyway: asked for again, one of the two would only be missed."""
    return slot.dues.taken if slot.dues is not None and not slot.dues.begun else None


def look(slot: LiveSlot, asked: Triggered, to_end: bool) -> tuple[bool, Reason] | None:
    """Return whether the run came to what it was asked for, and how; None while that is open."""
    dues = slot.dues
    taken = dues is not None and _is(dues.taken, asked) and slot.wanted
    asked.begun = asked.begun or (dues is not None and taken and dues.begun)
    if taken:
        return None if to_end or not asked.begun else (True, _begun(slot))
    if dues is not None and _is(dues.remembered, asked) and slot.wanted:
        return None if to_end else (True, Reason("it starts when the run that goes on has ended"))
    return _ended(slot, asked)


def _is(due: Due | None, asked: Triggered) -> bool:
    """Return whether it is what was asked for; a time of the schedule may have been given another run meanwhile."""
    if due is not None and asked.due.trigger != Trigger.OPERATOR:
        due = due._replace(run=asked.due.run)
    return due == asked.due


def _begun(slot: LiveSlot) -> Reason:
    child = slot.child
    return Reason(f"it runs, pid {child.pid}" if child is not None else "it has begun")


def _ended(slot: LiveSlot, asked: Triggered) -> tuple[bool, Reason]:
    outcome = slot.outcome
    if asked.begun and outcome is not None:
        how = say(f"{outcome.value}: ", slot.decision.reason or slot.end_reason)
        return outcome is Outcome.FINISHED, how
    missed = slot.dues.missed_last if slot.dues is not None else None
    if missed is None or not _is(Due(missed.last, asked.due.trigger, missed.run), asked):
        return False, Reason("missed: its schedule was taken away")
    return False, say("missed: ", missed.reason)

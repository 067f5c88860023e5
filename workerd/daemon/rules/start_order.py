"""Tells whether the jobs that start after another still wait for it, from its slots. Pure: the time is an argument."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from workerd.durations import format_duration
from workerd.wire.spec import JobSpec
from workerd.wire.words import LEFT_ALONE, State


class Standing(NamedTuple):
    """The standing of one slot of the job."""

    wanted: bool
    state: State
    ran: bool = False
    """The slot was RUNNING once in the daemon's life."""
    finished: bool = False
    """Its last run finished."""
    tried_s: float | None = None
    """The seconds for which it has tried to run, since its first start; None where that has not begun."""
    unheld: bool = False
    """The slot may run on any node of the fleet, and runs on none yet."""


class Wait(NamedTuple):
    """The answer: whether the job is waited for, or why not although it has not run."""

    goes_on: bool
    left_s: float = math.inf
    """After so many seconds it is waited for no longer."""
    ignored: str = ""


OVER = Wait(goes_on=False)


def judge(spec: JobSpec | None, slots: Sequence[Standing]) -> Wait:
    """Return whether to wait for the job of this ``spec``; None is a row that is not there."""
    if spec is None:
        return _ignore("there is no such job")
    if spec.schedule:
        return _ignore("it has a schedule, so that it does not always run")
    if any(slot.ran or (slot.state is State.DONE and slot.finished) for slot in slots):
        return OVER
    coming = [slot for slot in slots if slot.wanted and slot.state not in LEFT_ALONE]
    if not coming:
        return _ignore(_why_none_comes(spec, slots))
    left = max(math.inf if slot.tried_s is None else spec.start_timeout - slot.tried_s for slot in coming)
    if left <= 0:
        if any(slot.unheld for slot in coming):
            return _ignore("no node of the fleet runs it")
        limit = format_duration(spec.start_timeout)
        return _ignore(f"it does not run {limit} after its first start, its start timeout")
    return Wait(goes_on=True, left_s=left)


def _ignore(reason: str) -> Wait:
    return Wait(goes_on=False, ignored=reason)


def _why_none_comes(spec: JobSpec, slots: Sequence[Standing]) -> str:
    if not spec.enabled:
        return "it is disabled"
    if not slots:
        return "its row wants no processes"
    wanted = {slot.state for slot in slots if slot.wanted}
    if State.PARKED in wanted:
        return "it is parked"
    return "its run ended badly, and it is not started again" if State.DONE in wanted else "it is stopped"

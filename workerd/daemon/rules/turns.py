"""The restart policy of a scheduled job: what follows a run within the turn that a due moment has begun. Pure."""

from random import Random

from workerd.wire import exit_codes
from workerd.wire.reasons import Reason, say
from workerd.wire.spec import JobSpec
from workerd.wire.words import LAST, Outcome, Restart

from .facts import Next
from .restart import (
    Decision,
    EndedRun,
    FailureHistory,
    again,
    forgive_session,
    restart_delay,
    too_short,
    wait_uncounted,
)

RESTS = "; waits for its next time"


def decide_turn(spec: JobSpec, history: FailureHistory, end: EndedRun, now: float, random: Random) -> Decision:
    """Return what follows ``end``: a failed run is tried again until it succeeds, or ``max_restarts`` are used up.

    ``history`` is of this turn alone. ``now`` is monotonic seconds.
    """
    if end.outcome is Outcome.REFUSED:
        return Decision(Next.GIVE_UP, reason=end.reason)
    if end.asked or end.outcome is Outcome.FINISHED:
        return Decision(Next.REST)
    if spec.restart == Restart.NEVER:
        left = Reason(f"; not tried again, as its row's restart is “{spec.restart}”")
        return Decision(Next.REST, reason=say("", end.reason, left))
    if end.outcome is Outcome.RECYCLED:
        return again(too_short(end), end.reason)
    if end.exit_code == exit_codes.TRY_LATER or end.database_out:
        return wait_uncounted(spec, history, end, random)
    if end.lost_session and forgive_session(spec, history, now):
        return again(too_short(end), end.reason)
    history.failures += 1
    if spec.max_restarts is not None and history.failures > spec.max_restarts:
        counted = f"failed {history.failures} time{'s' * (history.failures > 1)}{RESTS}{LAST}"
        return Decision(Next.REST, reason=say(counted, end.reason))
    return again(restart_delay(spec, history.failures - (end.ready_s is not None), random), end.reason)

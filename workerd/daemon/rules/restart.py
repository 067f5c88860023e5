"""The restart policy: when a child that ended is followed by another. Pure, without a clock."""

from collections import deque
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

from workerd.wire import exit_codes
from workerd.wire.backoff import delay_after
from workerd.wire.spec import JobSpec
from workerd.wire.words import THE_LAST, Outcome, Restart

from .facts import Next

LOST_SESSIONS = 5
"""So many sessions that a database ends within ``restart_window`` count as no failures of a healthy job."""
JITTER = 0.1
"""Delays are spread by ± 10 %, so that what failed together does not come back together."""


@dataclass(eq=False, repr=False, slots=True)
class FailureHistory:
    """The policy's memory of a slot: failures in a row, uncounted waits in a row, and when failures were."""

    failures: int = 0
    waits: int = 0
    failed_at: deque[float] = field(default_factory=lambda: deque(maxlen=10_000))
    lost_at: deque[float] = field(default_factory=lambda: deque(maxlen=LOST_SESSIONS))
    """When the latest sessions were lost that were not counted."""

    def forgive(self) -> None:
        """Forget all failures, as an operator or an edit has intervened."""
        self.failures = self.waits = 0
        self.failed_at.clear()
        self.lost_at.clear()


class EndedRun(NamedTuple):
    """How a run ended, as far as the policy cares; ``ready_s`` is None where it never became ready."""

    outcome: Outcome
    asked: bool
    exit_code: int | None = None
    ready_s: float | None = None
    database_out: bool = False
    reason: str = ""
    outage: str = ""
    lost_session: bool = False


class Decision(NamedTuple):
    """The answer to an exit: what comes next, after which delay in seconds, and why."""

    next: Next
    delay: float = 0.0
    reason: str = ""


def decide(spec: JobSpec, history: FailureHistory, end: EndedRun, now: float, random: Random) -> Decision:
    """Return what follows ``end``, and note it in ``history``; ``now`` is monotonic seconds."""
    if end.ready_s is not None and end.ready_s >= spec.backoff_max:
        history.failures = history.waits = 0
    if end.outcome is Outcome.REFUSED:
        return Decision(Next.GIVE_UP, reason=end.reason)
    if end.asked or end.outcome is Outcome.RECYCLED:
        return Decision(Next.AGAIN)
    if spec.restart == Restart.NEVER or (spec.restart == Restart.ON_FAILURE and end.outcome is Outcome.FINISHED):
        return Decision(Next.LEAVE, reason=f"{end.outcome.value}, and restart is {spec.restart}")
    if end.exit_code == exit_codes.TRY_LATER or end.database_out:
        return _wait(spec, history, end, random)
    if end.outcome is Outcome.FINISHED and end.ready_s is not None:
        return Decision(Next.AGAIN)
    if end.lost_session and end.ready_s is not None and _forgive_session(spec, history, now):
        return Decision(Next.AGAIN, reason=end.reason)
    return _count(spec, history, end, now, random)


def _forgive_session(spec: JobSpec, history: FailureHistory, now: float) -> bool:
    """Return whether the database's end of a session counts as no failure, and note it then."""
    lost = history.lost_at
    if len(lost) == LOST_SESSIONS and now - lost[0] <= spec.restart_window:
        return False
    lost.append(now)
    return True


def _wait(spec: JobSpec, history: FailureHistory, end: EndedRun, random: Random) -> Decision:
    history.waits += 1
    reason = (
        (end.outage or "the database is unreachable") if end.database_out else "it asked to be started later (exit 75)"
    )
    return Decision(Next.WAIT, _delay(spec, history.waits, random), reason)


def _count(spec: JobSpec, history: FailureHistory, end: EndedRun, now: float, random: Random) -> Decision:
    history.failed_at.append(now)
    if spec.max_restarts is not None:
        recent = sum(1 for moment in history.failed_at if now - moment <= spec.restart_window)
        if recent > spec.max_restarts:
            return Decision(
                Next.GIVE_UP,
                reason=f"{recent} failure{'s' * (recent > 1)} within {spec.restart_window:g} s{THE_LAST}{end.reason}",
            )
    doublings = history.failures if end.ready_s is not None else max(1, history.failures)
    history.failures = doublings + 1
    delay = _delay(spec, doublings, random)
    return Decision(Next.LATER if delay else Next.AGAIN, delay, end.reason)


def _delay(spec: JobSpec, doublings: int, random: Random) -> float:
    """Return 0 for the first failure after a healthy life, then ``backoff_initial`` doubling to ``backoff_max``."""
    if doublings == 0 or spec.backoff_initial == 0:
        return 0.0
    delay = delay_after(doublings - 1, spec.backoff_initial, spec.backoff_max)
    return delay * random.uniform(1 - JITTER, 1 + JITTER)

"""The restart policy: when a child that ended is followed by another. Pure, without a clock."""

import math
from collections import deque
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

from workerd.durations import format_duration
from workerd.wire import exit_codes
from workerd.wire.backoff import delay_after
from workerd.wire.reasons import Reason, say
from workerd.wire.spec import JobSpec
from workerd.wire.words import LAST, Outcome, Restart

from .facts import Next

LOST_SESSIONS = 5
"""The sessions that a database may end within ``restart_window`` before one counts as a failure of a healthy job."""
JITTER = 0.1
"""Delays are spread by ± 10 %, so that what failed together does not come back together."""
FLOOR_S = 1.0
"""A run that ends well sooner than this after its start is not followed at once: it would be followed without end."""


@dataclass(eq=False, repr=False, slots=True)
class FailureHistory:
    """The policy's memory of a slot: failures in a row, uncounted waits in a row, and when failures were."""

    failures: int = 0
    waits: int = 0
    failed_at: list[float] = field(default_factory=list)
    """Only as many as can still park the slot."""
    lost_at: deque[float] = field(default_factory=lambda: deque(maxlen=LOST_SESSIONS))
    """When the latest sessions were lost that were not counted."""

    def note_failure(self, now: float, window: float, limit: int) -> int:
        """Return how many failures there were within ``window``; more than one above ``limit`` are not counted."""
        recent = [moment for moment in self.failed_at if now - moment <= window]
        self.failed_at = [*recent, now][-limit - 1 :]
        return len(self.failed_at)

    def forgive(self) -> None:
        """Forget all failures, as an operator or an edit has intervened."""
        self.failures = self.waits = 0
        self.failed_at.clear()
        self.lost_at.clear()


class EndedRun(NamedTuple):
    """A run that has ended, as far as the policy cares: how long it lived, and for how long of that it was ready."""

    outcome: Outcome
    asked: bool
    exit_code: int | None = None
    ready_s: float | None = None
    lived_s: float = math.inf
    database_out: bool = False
    reason: str = ""
    outage: str = ""
    lost_session: bool = False
    oom_killed: bool = False
    """Whether the kernel killed it for want of memory, as far as its cgroup tells."""


class Decision(NamedTuple):
    """The answer to an exit: what comes next, after which delay in seconds, and why."""

    next: Next
    delay: float = 0.0
    reason: str = ""


def is_failure(spec: JobSpec, end: EndedRun) -> bool:
    """Return whether the job's own code failed: nobody asked for the end, and no database or exit 75 explains it."""
    if end.asked or end.outcome is Outcome.RECYCLED:
        return False
    if end.outcome is Outcome.FINISHED:
        return end.ready_s is None and spec.restart == Restart.ALWAYS
    return end.outcome is Outcome.REFUSED or not (
        end.exit_code == exit_codes.TRY_LATER or end.database_out or end.lost_session
    )


def decide(spec: JobSpec, history: FailureHistory, end: EndedRun, now: float, random: Random) -> Decision:
    """Return what follows ``end``, and note it in ``history``; ``now`` is monotonic seconds."""
    if end.ready_s is not None and end.ready_s >= max(spec.backoff_max, FLOOR_S):
        history.failures = history.waits = 0
    if end.outcome is Outcome.REFUSED:
        return Decision(Next.GIVE_UP, reason=end.reason)
    if end.asked:
        return Decision(Next.AGAIN)
    if end.outcome is Outcome.RECYCLED:
        return again(too_short(end), end.reason)
    if spec.restart == Restart.NEVER or (spec.restart == Restart.ON_FAILURE and end.outcome is Outcome.FINISHED):
        left = Reason(f"; not started again, as its row's restart is “{spec.restart}”")
        return Decision(Next.LEAVE, reason=say("", end.reason, left))
    if end.exit_code == exit_codes.TRY_LATER or end.database_out:
        return wait_uncounted(spec, history, end, random)
    if end.outcome is Outcome.FINISHED and end.ready_s is not None and not too_short(end):
        return Decision(Next.AGAIN)
    if end.lost_session and end.ready_s is not None and forgive_session(spec, history, now):
        return again(too_short(end), end.reason)
    return _count(spec, history, end, now, random)


def forgive_session(spec: JobSpec, history: FailureHistory, now: float) -> bool:
    """Return whether the database's end of a session counts as no failure, and note it then."""
    lost = history.lost_at
    if len(lost) == LOST_SESSIONS and now - lost[0] <= spec.restart_window:
        return False
    lost.append(now)
    return True


def wait_uncounted(spec: JobSpec, history: FailureHistory, end: EndedRun, random: Random) -> Decision:
    """Return the answer to an end that is no failure: of a job that asks for a later start, or misses its database."""
    history.waits += 1
    reason = Reason("the job asked to be started later (exit code 75)")
    if end.database_out:
        own = "the database is unreachable"
        reason = Reason(end.outage or own, own)
    return Decision(Next.WAIT, max(restart_delay(spec, history.waits, random), too_short(end)), reason)


def _count(spec: JobSpec, history: FailureHistory, end: EndedRun, now: float, random: Random) -> Decision:
    reason = end.reason
    if end.outcome is Outcome.FINISHED:
        early = f", {end.lived_s:.1f} s after its start" if too_short(end) else " before it was ready"
        reason = say("", reason, Reason(early))
    if spec.max_restarts is not None:
        recent = history.note_failure(now, spec.restart_window, spec.max_restarts)
        if recent > spec.max_restarts:
            counted = f"{recent} failure{'s' * (recent > 1)} within {format_duration(spec.restart_window)}"
            return Decision(Next.GIVE_UP, reason=say(f"gave up after {counted}{LAST}", reason))
    doublings = history.failures if end.ready_s is not None else max(1, history.failures)
    history.failures = doublings + 1
    delay = restart_delay(spec, doublings, random)
    if end.outcome is Outcome.FINISHED and spec.backoff_initial:
        delay = max(delay, too_short(end))
    return again(delay, reason)


def again(delay: float, reason: str) -> Decision:
    """Return that the next run follows, at once or after ``delay`` seconds."""
    return Decision(Next.LATER if delay else Next.AGAIN, delay, reason)


def too_short(end: EndedRun) -> float:
    """Return how much the run lived too short, in seconds."""
    return max(0.0, FLOOR_S - end.lived_s)


def restart_delay(spec: JobSpec, doublings: int, random: Random) -> float:
    """Return 0 for the first failure after a healthy life, then ``backoff_initial`` doubling to ``backoff_max``."""
    if doublings == 0 or spec.backoff_initial == 0:
        return 0.0
    delay = delay_after(doublings - 1, spec.backoff_initial, spec.backoff_max)
    return delay * random.uniform(1 - JITTER, 1 + JITTER)

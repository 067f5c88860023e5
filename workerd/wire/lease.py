"""The timing rules of a seat, as pure functions: a seat is a lease that rests on the rates of clocks alone.

Times are seconds of the boot-time clock of the machine that asks (CLOCK_BOOTTIME, which counts suspend); no value of
another machine's clock, or of the database's, takes part. ``takeover_after`` is F: its holder's process is gone before
F has passed on any other machine since the last renewal that the database has.
"""

import time

RATE_BOUND = 0.01
"""Clocks may run so much too fast or too slow (ρ)."""
KILL_S = 1.5
"""A process that was killed is gone within this time (K)."""
LONGEST_RENEWAL_S = 5.0
LOOK_GAP = 3
"""Two looks at a seat may be this many renewal intervals apart, and still count as one window."""


def boot_time() -> float:
    """Return the seconds since this machine was started, those in suspend included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def renewal_interval(takeover_after: float) -> float:
    """Return how often a seat is renewed and looked at (R)."""
    return min(LONGEST_RENEWAL_S, takeover_after / 6)


def hold_time(takeover_after: float) -> float:
    """Return how long a confirmed renewal lets the holder's process live, from when it was sent."""
    return untaken_until(0.0, takeover_after) - KILL_S


def untaken_until(sent: float, takeover_after: float) -> float:
    """Return until when nobody else can have taken a seat whose confirmed renewal was sent then."""
    return sent + takeover_after * (1 - RATE_BOUND) / (1 + RATE_BOUND)


def kill_at(sent: float, takeover_after: float) -> float:
    """Return the deadline (D) at which the holder's process is killed, whatever it is doing."""
    return sent + hold_time(takeover_after)


def ask_at(deadline: float, takeover_after: float, stop_timeout: float) -> float:
    """Return when the process is asked to stop, so that it has ended by ``deadline``."""
    return deadline - min(stop_timeout, takeover_after / 3)


def may_start(now: float, deadline: float, takeover_after: float) -> bool:
    """Return whether enough is left for a process to be worth its start."""
    return deadline - now >= takeover_after / 3


def may_take(seen_since: float, now: float, takeover_after: float) -> bool:
    """Return whether a seat, seen unchanged from the end of one look to now, the begin of the claim, may be taken."""
    return now - seen_since >= takeover_after


def longest_gap(takeover_after: float) -> float:
    """Return for how long a seat may be without a holder where nodes are there that may run its job."""
    return takeover_after + 2 * renewal_interval(takeover_after)


def next_token(seen: int, unix_ms: int) -> int:
    """Return the token of a new holding: larger than the one seen, and than any of a past that a failover lost."""
    return max(seen + 1, unix_ms)

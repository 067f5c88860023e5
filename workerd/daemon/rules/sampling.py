"""The arithmetic of sampling: which five minutes a moment belongs to, and shares of processors."""

from workerd.wire.samples import COARSE_S


def bucket_of(time: int) -> int:
    """Return the number of the five minutes that a moment is in."""
    return time // COARSE_S


def share(used_s: float, span_s: float) -> float | None:
    """Return the share of one processor, in per cent, that so much processor time is of a span; None without one."""
    return max(0.0, used_s) / span_s * 100 if span_s > 0 else None

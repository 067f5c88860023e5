"""Numbers and durations: the range of each."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from workerd.durations import MAX_SECONDS, format_duration

from .rule import Rule, rule_of, shown, shown_duration

SMALLEST_S = 0.001
DURATIONS: Mapping[str, tuple[float, float]] = {
    "backoff_initial": (0, MAX_SECONDS),
    "backoff_max": (0, MAX_SECONDS),
    "restart_window": (SMALLEST_S, MAX_SECONDS),
    "start_grace": (0, MAX_SECONDS),
    "start_timeout": (SMALLEST_S, MAX_SECONDS),
    "heartbeat_timeout": (SMALLEST_S, MAX_SECONDS),
    "stop_timeout": (SMALLEST_S, MAX_SECONDS),
    "max_age": (SMALLEST_S, MAX_SECONDS),
    "start_within": (0, MAX_SECONDS),
    "spread": (0, MAX_SECONDS),
    "takeover_after": (10.0, 3600.0),
}
"""Seconds in the row; people type and read "90s" or "5 min"."""

RANGES: Mapping[str, tuple[float, float]] = {
    "processes": (0, 1000),
    "max_restarts": (0, 1_000_000),
    "max_memory": (1, 2**24),
    "nice": (-20, 19),
    **DURATIONS,
}
"""Both ends belong to the range. An upper one stands everywhere: it keeps infinity and PostgreSQL's NaN out."""

WHOLE = ("processes", "max_restarts", "nice")
OPTIONAL = ("max_restarts", "heartbeat_timeout", "max_memory", "max_age", "start_within", "spread", "takeover_after")
"""Null sets no limit, or is the default."""


def number_fault(field: str, value: Any) -> str:
    low, high = RANGES[field]
    if (value is None and field in OPTIONAL) or _is_within(value, low, high, whole=field in WHOLE):
        return ""
    if field in DURATIONS:
        least, most = format_duration(low), format_duration(high)
        return f"{field} is {shown_duration(value)}: set it to a duration from {least} to {most}."
    kind = "a whole number" if field in WHOLE else "a number"
    return f"{field} is {shown(value)}: set it to {kind} from {low:.10g} to {high:.10g}."


def _is_within(value: Any, low: float, high: float, *, whole: bool) -> bool:
    """Return whether ``value`` is a number of the range. NaN is in none, and true is no number here."""
    return isinstance(value, int if whole else int | float) and not isinstance(value, bool) and low <= value <= high


RULES: tuple[Rule, ...] = tuple(rule_of(field, partial(number_fault, field)) for field in RANGES)

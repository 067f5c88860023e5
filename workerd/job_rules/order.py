"""Durations that must stand in an order."""

from .rule import Rule, shown_duration


def backoff_fault(initial: float, longest: float) -> str:
    if longest >= initial:
        return ""
    first, last = shown_duration(initial), shown_duration(longest)
    return f"backoff_max, the longest delay, is {last}, shorter than backoff_initial, the first, {first}: raise it."


def start_fault(grace: float, timeout: float, signals_ready: bool) -> str:
    # a job that says by itself when it is ready is not measured by start_grace
    if signals_ready or timeout > grace:
        return ""
    return (
        f"start_timeout is {shown_duration(timeout)}, not longer than start_grace, {shown_duration(grace)}, "
        "so the process would never count as running: raise it."
    )


RULES: tuple[Rule, ...] = (
    Rule(("backoff_initial", "backoff_max"), backoff_fault, blames=("backoff_max",)),
    Rule(("start_grace", "start_timeout", "signals_ready"), start_fault, blames=("start_timeout",)),
)

"""Waits: for a condition, with a deadline, never for a time."""

import time
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")

LOOK_EVERY_S = 0.01


class TooLateError(AssertionError):
    """What was waited for did not come."""

    def __init__(self, what: str, within: float, last: object) -> None:
        super().__init__(f"{what} did not come within {within:g} s; last seen: {last!r}")


def eventually(condition: Callable[[], Value], within: float = 5.0, what: str = "") -> Value:
    """Return the condition's value as soon as it is true.

    An AssertionError in the condition means "not yet", so that it may be a function of asserts; such a one returns
    None, which counts as true then. Raises TooLateError, with the last value, after ``within`` seconds.
    """
    deadline = time.monotonic() + within
    while True:
        late = time.monotonic() > deadline
        value, holds = _look(condition)
        if holds:
            return value
        if late:
            raise TooLateError(what or getattr(condition, "__name__", "it"), within, value)
        time.sleep(LOOK_EVERY_S)


def _look(condition: Callable[[], Value]) -> tuple[Value, bool]:
    try:
        value = condition()
    except AssertionError as error:
        return error, False  # type: ignore[return-value]
    return value, bool(value) or value is None

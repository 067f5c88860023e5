"""Waits: for a condition, with a deadline, never for a time."""

import time
from collections.abc import Callable
from typing import Literal, TypeVar

Value = TypeVar("Value")

WITHIN_S = 30.0
"""The longest wait for what is sure to come: on a busy machine each process on its way may be seconds late."""
LOOK_EVERY_S, SELDOM_S, LATER = 0.01, 0.1, 0.05
"""A long wait looks less often, so that waiting takes no processor from what is waited for: 5 % late at most."""


class TooLateError(AssertionError):
    """What was waited for did not come."""

    def __init__(self, what: str, within: float, last: object) -> None:
        super().__init__(f"{what} did not come within {within:g} s; last seen: {last!r}")


def eventually(condition: Callable[[], Value | Literal[False]], within: float = WITHIN_S, what: str = "") -> Value:
    """Return the condition's value as soon as it is true.

    An AssertionError in the condition means "not yet", so that it may be a function of asserts; such a one returns
    None, which counts as true then. Raises TooLateError, with the last value, after ``within`` seconds.
    """
    began = time.monotonic()
    last: object = None
    while True:
        waited = time.monotonic() - began
        try:
            value = condition()
            if value or value is None:
                return value
            last = value
        except AssertionError as error:
            last = error
        if waited > within:
            raise TooLateError(what or getattr(condition, "__name__", "it"), within, last)
        time.sleep(min(max(LOOK_EVERY_S, LATER * waited), SELDOM_S))

"""A fault of a row, and a rule that finds one."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from workerd.durations import MAX_SECONDS, format_duration

MAX_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault of one field: a sentence that names the value and the remedy."""

    field: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that a row must hold to.

    ``find`` takes the values of the fields that the rule ``reads``, in that order, and returns a sentence or "".
    """

    reads: tuple[str, ...]
    find: Callable[..., str]
    blames: tuple[str, ...]
    """The fields to correct; a form shows the sentence beside each."""


def rule_of(field: str, find: Callable[[Any], str]) -> Rule:
    """Return a rule about one field alone."""
    return Rule((field,), find, (field,))


def join_sentences(faults: Iterable[Fault]) -> str:
    """Return the sentences as one text; a sentence about two fields stands in it once."""
    return " ".join(dict.fromkeys(fault.sentence for fault in faults))


def shown(value: Any) -> str:
    """Return ``value`` as a sentence may name it: short, and free of what a log or a database cannot take."""
    if value is None or value == "":
        return "empty"
    try:
        text = repr(value).removesuffix(".0")  # 5.0 is how a column of floats holds a 5
    except ValueError:  # Python writes no whole number of more than 4300 digits
        text = "a number of thousands of digits"
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"


def shown_duration(seconds: Any) -> str:
    """Return a duration as people write it, and anything else, or one that takes too many digits, as it is."""
    if not isinstance(seconds, int | float) or isinstance(seconds, bool):
        return shown(seconds)
    return format_duration(seconds) if seconds == 0 or 1e-6 < seconds < 1000 * MAX_SECONDS else shown(seconds)

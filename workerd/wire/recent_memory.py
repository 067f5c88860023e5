"""The memory of a slot in the last day in a few numbers, as a row of the jobs list has it: read without trust.

The text is the time of the first, the seconds that each stands for, and the most KiB of each; "-" for none.
"""

from typing import NamedTuple

from .samples import LAYOUT, UNKNOWN_MEMORY

POINTS = 32
LEAST_SPAN_S = 320
"""The numbers stand for so many seconds together at the least: ten for each."""
DAY_S = 86400
MOST_TEXT = 400


class RecentMemory(NamedTuple):
    """The most KiB in each of ``len(values)`` equal spans of time, None where nothing was measured."""

    began: int
    step: int
    values: tuple[int | None, ...]

    @property
    def ended(self) -> int:
        """The end of the last span, in wall seconds."""
        return self.began + self.step * len(self.values)


def summarize(packed: bytes) -> str | None:
    """Return the text for samples as they are kept; None where no memory was measured."""
    found = [
        (fields[0], fields[1]) for fields in LAYOUT.iter_unpack(packed) if fields[0] and fields[1] != UNKNOWN_MEMORY
    ]
    if not found:
        return None
    last = max(found)[0]
    began = max(last - DAY_S, min(found)[0])
    step = max(LEAST_SPAN_S // POINTS, -(-(last - began + 1) // POINTS))
    values: list[int | None] = [None] * ((last - began) // step + 1)
    for time, memory in found:
        if time >= began:
            place = (time - began) // step
            values[place] = max(memory, values[place] or 0)
    return " ".join([str(began), str(step), *("-" if value is None else str(value) for value in values)])[:MOST_TEXT]


def read_recent(text: str | None) -> RecentMemory | None:
    """Return what ``summarize`` has written; None for no such text."""
    if not isinstance(text, str) or len(text) > MOST_TEXT:
        return None
    try:
        began, step, *values = text.split(" ")
        found = RecentMemory(int(began), int(step), tuple(map(_value, values)))
    except ValueError:
        return None
    return found if found.step > 0 and 0 < len(found.values) <= POINTS and found.began >= 0 else None


def _value(word: str) -> int | None:
    if word == "-":
        return None
    if (value := int(word)) < 0:
        raise ValueError(word)
    return value

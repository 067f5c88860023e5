"""Samples: what a process used at one moment, in 16 bytes each, none of which is trusted when it is read."""

import math
import struct
from collections.abc import Iterable
from typing import NamedTuple

LAYOUT = struct.Struct("<IIeeHH")
"""Time, memory, processor, silence, descriptors, and threads with FIRST. Half floats, as their NaN says "unknown"."""
UNKNOWN_MEMORY, UNKNOWN_COUNT, FIRST = 2**32 - 1, 2**15 - 1, 2**15
MOST_FLOAT = 65504.0
FINE, COARSE = 360, 288
"""The samples that are kept as they are (an hour of them, at one in 10 s), and those of five minutes (a day)."""
COARSE_S = 300
MOST = FINE + COARSE


class Sample(NamedTuple):
    """A moment of a process; None for what was not measured."""

    time: int
    """Wall seconds (UTC)."""
    memory: int | None = None
    """The growth of its private memory, in KiB."""
    processor: float | None = None
    """The share of one processor since the sample before, in per cent."""
    silence: float | None = None
    """The seconds since its last beat."""
    descriptors: int | None = None
    threads: int | None = None
    is_first: bool = False
    """Whether it is the first of its run: nothing before it is of the same process."""


def pack(sample: Sample) -> bytes:
    """Return the bytes of a sample; what is too large for its place becomes the largest that is not."""
    threads = _count(sample.threads) | (FIRST if sample.is_first else 0)
    memory = UNKNOWN_MEMORY if sample.memory is None else min(max(0, sample.memory), UNKNOWN_MEMORY - 1)
    processor, silence = _half(sample.processor), _half(sample.silence)
    return LAYOUT.pack(sample.time, memory, processor, silence, _count(sample.descriptors), threads)


def pack_all(samples: Iterable[Sample]) -> bytes:
    return b"".join(map(pack, samples))


def unpack_all(data: bytes, now: float) -> list[Sample]:
    """Return the samples in ``data``, the oldest first, one of each moment; what is empty or later than ``now`` is not.

    A time after now was written when the clock was wrong.
    """
    whole = len(data) - len(data) % LAYOUT.size
    found = {fields[0]: fields for fields in LAYOUT.iter_unpack(data[:whole]) if 0 < fields[0] <= now + 1}
    return [_sample(*found[time]) for time in sorted(found)]


def _sample(time: int, memory: int, processor: float, silence: float, descriptors: int, threads: int) -> Sample:  # noqa: PLR0917 - the layout's fields
    return Sample(
        time,
        None if memory == UNKNOWN_MEMORY else memory,
        _known(processor),
        _known(silence),
        None if descriptors & UNKNOWN_COUNT == UNKNOWN_COUNT else descriptors & UNKNOWN_COUNT,
        None if threads & UNKNOWN_COUNT == UNKNOWN_COUNT else threads & UNKNOWN_COUNT,
        bool(threads & FIRST),
    )


def _known(value: float) -> float | None:
    return value if math.isfinite(value) and value >= 0.0 else None


def _half(value: float | None) -> float:
    return math.nan if value is None else min(max(0.0, value), MOST_FLOAT)


def _count(value: int | None) -> int:
    return UNKNOWN_COUNT if value is None else min(max(0, value), UNKNOWN_COUNT - 1)

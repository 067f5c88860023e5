"""Curves: the samples of a slot or a run as one line over time, thinner where there are many, and as text in a row."""

import binascii
import zlib
from collections.abc import Iterable, Sequence
from typing import TypeVar

from .samples import FINE, LAYOUT, MOST, Sample, pack_all, unpack_all

Number = TypeVar("Number", int, float)

MOST_TEXT = 2 * MOST * LAYOUT.size
"""The longest text that is read: deflated bytes are hardly more than there were, and base64 makes four of three."""


def thinned(samples: Sequence[Sample]) -> Sample:
    """Return one sample for several, at the time of the last: the most of each figure, and of processors the mean.

    What makes trouble is a peak; of processor time it is how much of it was used. Unknown is what was never known.
    """
    shares = [sample.processor for sample in samples if sample.processor is not None]
    return Sample(
        time=samples[-1].time,
        memory=_most(sample.memory for sample in samples),
        processor=sum(shares) / len(shares) if shares else None,
        silence=_most(sample.silence for sample in samples),
        descriptors=_most(sample.descriptors for sample in samples),
        threads=_most(sample.threads for sample in samples),
        is_first=any(sample.is_first for sample in samples),
    )


def thin_to(samples: Sequence[Sample], most: int) -> list[Sample]:
    """Return at most ``most`` samples, of equal spans of time; the last one is kept as it is."""
    if len(samples) <= most:
        return list(samples)
    began, last = samples[0].time, samples[-1]
    span = max(1.0, (last.time - began) / (most - 1))
    groups: dict[int, list[Sample]] = {}
    for sample in samples[:-1]:
        groups.setdefault(int((sample.time - began) / span), []).append(sample)
    return [*(thinned(group) for group in groups.values()), last][-most:]


def joined(fine: Sequence[Sample], coarse: Sequence[Sample], since: float = 0.0) -> list[Sample]:
    """Return both as one curve from ``since`` on: the coarse ones from before the fine ones begin."""
    begin = fine[0].time if fine else float("inf")
    return [*(one for one in coarse if since <= one.time < begin), *(one for one in fine if one.time >= since)]


def run_text(samples: Iterable[Sample]) -> str:
    """Return the curve of a run as text for its row; "" for no sample."""
    return _to_text(pack_all(samples))


def run_curve(text: str | None, now: float) -> list[Sample]:
    """Return the curve of ``run_text``, the oldest sample first; none of what is no such text."""
    return unpack_all(_from_text(text), now)


def slot_text(packed: bytes) -> str:
    """Return the samples of a slot, as its record in STATE_DIR holds them, as text for its row."""
    return _to_text(packed)


def slot_curve(text: str | None, now: float) -> list[Sample]:
    """Return the curve of ``slot_text``: the samples of an hour, and before them those of five minutes each."""
    data = _from_text(text)
    return joined(unpack_all(data[: FINE * LAYOUT.size], now), unpack_all(data[FINE * LAYOUT.size :], now))


def _to_text(data: bytes) -> str:
    return binascii.b2a_base64(zlib.compress(data, 1), newline=False).decode() if data else ""


def _from_text(text: str | None) -> bytes:
    """Return the bytes: whoever can write a row may write anything there, also what inflates without end."""
    if not isinstance(text, str) or not 0 < len(text) <= MOST_TEXT:
        return b""
    try:
        return zlib.decompressobj().decompress(binascii.a2b_base64(text), MOST * LAYOUT.size)
    except (ValueError, zlib.error):
        return b""


def _most(values: Iterable[Number | None]) -> Number | None:
    return max((value for value in values if value is not None), default=None)

"""Samples as bytes, as curves and as text: nothing that was not measured becomes a number, and no text is trusted."""

import binascii
import math
import random
import zlib

import pytest

from workerd.daemon.rules.sampling import bucket_of, share
from workerd.wire.curves import joined, run_curve, run_text, slot_curve, slot_text, thin_to, thinned
from workerd.wire.recent_memory import POINTS, read_recent, summarize
from workerd.wire.samples import COARSE, FINE, LAYOUT, MOST, UNKNOWN_COUNT, Sample, pack, pack_all, unpack_all

NOW = 1_800_000_000
GARBAGE = [
    "",
    "x",
    "é",
    "\0",
    "=" * 100,
    binascii.b2a_base64(b"no zlib").decode(),
    binascii.b2a_base64(zlib.compress(b"\xff" * 1000)).decode(),
    binascii.b2a_base64(zlib.compress(bytes(50_000_000), 9)).decode(),
    "A" * 1_000_000,
    None,
    7,
]


def test_a_slot_has_at_most_twelve_kib() -> None:
    assert MOST * LAYOUT.size <= 12 * 1024 - 128
    assert (FINE * 10, COARSE * 300) == (3600, 86400)


def test_a_sample_survives_its_bytes() -> None:
    sample = Sample(NOW, 45_056, 12.5, 0.25, 14, 3, is_first=True)

    assert unpack_all(pack(sample), NOW) == [sample]


def test_what_was_not_measured_stays_unknown() -> None:
    [sample] = unpack_all(pack(Sample(NOW)), NOW)

    assert sample == Sample(NOW, None, None, None, None, None)


def test_what_was_measured_as_nothing_is_nought() -> None:
    [sample] = unpack_all(pack(Sample(NOW, 0, 0.0, 0.0, 0, 1)), NOW)

    assert sample == Sample(NOW, 0, 0.0, 0.0, 0, 1)


def test_what_is_too_large_is_the_largest_and_not_unknown() -> None:
    [sample] = unpack_all(pack(Sample(NOW, 2**40, 1e9, 1e9, 10**6, 10**6)), NOW)

    assert None not in sample
    assert sample.threads == UNKNOWN_COUNT - 1
    assert sample.processor == 65504.0


def test_any_bytes_are_read_and_come_in_order() -> None:
    dice = random.Random(1)
    for size in range(200):
        samples = unpack_all(dice.randbytes(size), NOW)

        assert [one.time for one in samples] == sorted({one.time for one in samples})
        assert all(one.processor is None or math.isfinite(one.processor) for one in samples)


def test_a_time_that_has_not_come_is_a_wrong_clocks() -> None:
    assert unpack_all(pack_all([Sample(NOW), Sample(NOW + 3600)]), NOW) == [Sample(NOW)]


@pytest.mark.parametrize("text", GARBAGE, ids=lambda text: repr(text)[:20])
def test_text_that_somebody_wrote_is_read_as_nothing_or_in_bounds(text: str | None) -> None:
    assert len(run_curve(text, NOW)) <= MOST
    assert len(slot_curve(text, NOW)) <= MOST
    assert read_recent(text) is None


def test_a_run_survives_its_text() -> None:
    samples = [Sample(NOW + 10 * place, place, 1.0, 2.0, 3, 4, place == 0) for place in range(120)]
    text = run_text(samples)

    assert run_curve(text, NOW + 3600) == samples
    assert len(text) < 4096


def test_a_slot_has_the_hour_as_it_is_and_the_day_before_it() -> None:
    fine = [Sample(NOW - 10 * place, 5) for place in range(FINE)]
    coarse = [Sample(NOW - 300 * place, 9) for place in range(COARSE)]
    samples = slot_curve(slot_text(pack_all(fine) + pack_all(coarse)), NOW)

    assert [one.memory for one in samples].count(5) == FINE
    assert [one.memory for one in samples].count(9) == COARSE - 12
    assert samples[0].time == NOW - 300 * (COARSE - 1)


def test_five_minutes_come_to_the_most_of_each_and_the_mean_of_processors() -> None:
    several = [
        Sample(NOW, 5, 10.0, 1.0, 7, 1, is_first=True),
        Sample(NOW + 10, None, 30.0, 4.0, 3),
        Sample(NOW + 20, 2),
    ]

    assert thinned(several) == Sample(NOW + 20, 5, 20.0, 4.0, 7, 1, is_first=True)
    assert thinned([Sample(NOW), Sample(NOW + 1)]) == Sample(NOW + 1)


def test_a_thinned_curve_keeps_its_peak_and_its_end() -> None:
    samples = [Sample(NOW + place, 1000 if place == 777 else place % 7) for place in range(3000)]
    thin = thin_to(samples, 120)

    assert len(thin) <= 120
    assert max(one.memory or 0 for one in thin) == 1000
    assert thin[-1] == samples[-1]


def test_a_few_samples_are_not_thinned() -> None:
    assert thin_to([Sample(NOW)], 120) == [Sample(NOW)]
    assert thin_to([], 120) == []


def test_a_run_has_nothing_of_before_its_begin() -> None:
    fine, coarse = [Sample(100), Sample(110), Sample(120)], [Sample(40), Sample(90)]

    assert joined(fine, coarse, since=110) == [Sample(110), Sample(120)]
    assert joined([], coarse, since=50) == [Sample(90)]


def test_five_minutes_begin_at_full_ones() -> None:
    assert bucket_of(599) + 1 == bucket_of(600)


def test_a_share_needs_time() -> None:
    assert share(1.0, 10.0) == 10.0
    assert share(-0.01, 10.0) == 0.0
    assert share(1.0, 0.0) is None


def test_memory_lately_has_the_peaks_and_the_gaps() -> None:
    samples = [Sample(NOW - 86_000 + 300 * place, 10 + place) for place in range(286) if not 100 <= place < 120]
    recent = read_recent(summarize(pack_all(samples)))

    assert recent is not None
    assert len(recent.values) <= POINTS
    assert None in recent.values
    assert max(value or 0 for value in recent.values) == 295
    assert 0 <= recent.ended - samples[-1].time <= recent.step


def test_memory_lately_of_nothing_measured_is_nothing() -> None:
    assert summarize(bytes(MOST * LAYOUT.size)) is None
    assert summarize(pack_all([Sample(NOW)])) is None


def test_memory_lately_fits_its_column() -> None:
    packed = pack_all([Sample(NOW - 86_000 + 200 * place, 2**32 - 2) for place in range(430)])

    assert len(summarize(packed) or "") <= 400


@pytest.mark.parametrize("text", ["1 2", "1 0 3", "1 2 -3", "-1 2 3", "1 2 x", "1 2 " + "3 " * 99, "1 2 3 "])
def test_memory_lately_that_somebody_wrote_is_nothing(text: str) -> None:
    assert read_recent(text) is None

"""The file of samples: what is kept survives the daemon, in a fixed size, and a fault of the file is just an error."""

import os
from itertools import pairwise
from pathlib import Path

import pytest

from tests.harness.small_disk import small_disk
from workerd.daemon.io.sample_file import HEAD_BYTES, RECORD_BYTES, SampleFile
from workerd.wire.curves import joined
from workerd.wire.samples import COARSE, FINE, Sample

NOW = 1_800_000_000
FEED = ("feed", 0)
DAY_S = 86_400


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "shop.samples"


def fill(file: SampleFile, seconds: int, begin: int = NOW, key: tuple[str, int] = FEED) -> int:
    """Keep a sample each ten seconds; return the time of the last."""
    for time in range(begin, begin + seconds, 10):
        file.append(key, Sample(time, (time - begin) // 10, 1.0, None, 9, 1))
    return begin + seconds - 10


def test_it_has_an_hour_at_ten_seconds_and_a_day_at_five_minutes(path: Path) -> None:
    file = SampleFile(path)
    last = fill(file, 2 * DAY_S)
    fine, coarse = file.read(FEED, last)

    assert [one.time for one in fine] == list(range(last - 10 * (FINE - 1), last + 1, 10))
    assert len(coarse) == COARSE
    assert {later.time - one.time for one, later in pairwise(coarse)} == {300}
    curve = joined(fine, coarse)
    assert DAY_S - 600 < last - curve[0].time < DAY_S + 600


def test_it_has_eleven_kib_for_each_slot_whatever_time_passes(path: Path) -> None:
    file = SampleFile(path)
    for index in range(5):
        fill(file, DAY_S // 4, key=("feed", index))

    assert path.stat().st_size == HEAD_BYTES + 5 * RECORD_BYTES
    assert RECORD_BYTES < 12 * 1024


def test_it_is_its_users_alone(path: Path) -> None:
    SampleFile(path)

    assert path.stat().st_mode & 0o777 == 0o600


def test_the_next_daemon_goes_on_where_the_last_one_was_killed(path: Path) -> None:
    last = fill(SampleFile(path), 1800)  # not closed
    file = SampleFile(path)
    before = file.read(FEED, last)
    fill(file, 600, begin=last + 400)
    fine, coarse = file.read(FEED, last + 2000)

    assert not file.begun_anew
    assert len(before[0]) == 180
    assert len(fine) == 240, "nothing was written over"
    assert max(later.time - one.time for one, later in pairwise(fine)) == 400, "a gap stays a gap"
    assert len(coarse) == len({one.time // 300 for one in fine}) - 1


def test_a_ring_that_is_full_is_gone_on_with_at_its_oldest(path: Path) -> None:
    last = fill(SampleFile(path), 5000)
    file = SampleFile(path)
    file.append(FEED, Sample(last + 10, 1))
    fine, _coarse = file.read(FEED, last + 10)

    assert [one.time for one in fine] == list(range(last - 10 * (FINE - 2), last + 11, 10))


def test_a_clock_that_is_set_back_loses_no_later_sample(path: Path) -> None:
    file = SampleFile(path)
    fill(file, 600, begin=NOW + DAY_S)
    last = fill(file, 600)
    again = SampleFile(path)
    again.append(FEED, Sample(last + 10, 7))

    assert len(file.read(FEED, last)[0]) == 60
    assert again.read(FEED, last + 10)[0][-1].memory == 7


def test_the_record_of_a_slot_that_is_gone_is_anothers(path: Path) -> None:
    file = SampleFile(path)
    fill(file, 100)
    file.forget(FEED)
    file.append(("mail", 0), Sample(NOW, 5))

    assert path.stat().st_size == HEAD_BYTES + RECORD_BYTES
    assert file.read(("mail", 0), NOW)[0] == [Sample(NOW, 5)], "and has nothing of the first"
    assert file.read(FEED, NOW) == ([], [])


def test_a_later_daemon_frees_what_no_slot_has(path: Path) -> None:
    first = SampleFile(path)
    for name in ("a", "b", "c"):
        fill(first, 20, key=(name, 0))
    file = SampleFile(path)
    file.keep_only([("b", 0)])
    fill(file, 20, key=("d", 1))

    assert path.stat().st_size == HEAD_BYTES + 3 * RECORD_BYTES
    assert len(file.read(("b", 0), NOW + 100)[0]) == 2
    assert file.read(("a", 0), NOW + 100) == ([], [])


@pytest.mark.parametrize("content", [b"", b"workerd samples 0\n" + bytes(5000), os.urandom(20_000), b"workerd samp"])
def test_what_is_no_such_file_is_begun_anew(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    file = SampleFile(path)
    file.append(FEED, Sample(NOW, 5))

    assert file.begun_anew == bool(content)
    assert SampleFile(path).read(FEED, NOW)[0] == [Sample(NOW, 5)]


def test_random_records_are_read_as_they_are(path: Path) -> None:
    head = b"workerd samples 1\n".ljust(HEAD_BYTES, b"\0")
    path.write_bytes(head + os.urandom(3 * RECORD_BYTES + 77))
    file = SampleFile(path)
    file.keep_only([])
    file.append(FEED, Sample(NOW, 5))

    assert file.read(FEED, NOW)[0] == [Sample(NOW, 5)]


@pytest.mark.parametrize("size", [0, 10, HEAD_BYTES, HEAD_BYTES + 200])
def test_a_file_that_is_cut_under_the_daemon_ends_nothing(path: Path, size: int) -> None:
    """A store to a page that was mapped of it would be a SIGBUS."""
    file = SampleFile(path)
    last = fill(file, 1000)
    os.truncate(path, size)
    fill(file, 1000, begin=last + 10)

    assert len(file.read(FEED, last + 2000)[0]) >= 100


def test_a_link_is_not_followed(path: Path, tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("precious")
    path.symlink_to(tmp_path / "precious")

    with pytest.raises(OSError, match="symbolic links"):
        SampleFile(path)
    assert (tmp_path / "precious").read_text() == "precious"


def test_a_full_disk_is_an_error_before_anything_is_kept(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", kib=28) as folder:
        file = SampleFile(folder / "shop.samples")
        fill(file, 100)
        fill(file, 100, key=("feed", 1))
        with pytest.raises(OSError, match="No space"):
            file.append(("feed", 2), Sample(NOW, 1))

        fill(file, 7200)
        assert len(file.read(FEED, NOW + 7200)[0]) == FINE, "who has a record goes on"
        file.close()
        file.close()


def test_a_name_that_has_no_room_is_not_kept(path: Path) -> None:
    file = SampleFile(path)
    file.append(("x" * 125, 0), Sample(NOW, 1))

    assert file.read(("x" * 125, 0), NOW) == ([], [])
    assert path.stat().st_size == HEAD_BYTES

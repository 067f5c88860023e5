"""The last lines that are kept: few, and of bounded size."""

from workerd.daemon.io.last_lines import LastLines


def test_no_more_than_so_many_are_kept() -> None:
    kept = LastLines(count=3, size=100)

    kept.extend([b"1", b"2", b"3", b"4"])

    assert list(kept) == [b"2", b"3", b"4"]


def test_no_more_than_so_many_bytes_are_kept() -> None:
    kept = LastLines(count=50, size=100)

    kept.extend([b"a" * 60, b"b" * 50, b"c" * 40])

    assert list(kept) == [b"b" * 50, b"c" * 40]


def test_the_newest_is_there_whatever_its_size() -> None:
    kept = LastLines(count=50, size=100)

    kept.extend([b"small", b"x" * 1000])
    assert list(kept) == [b"x" * 1000]

    kept.append(b"small")
    assert list(kept) == [b"small"]

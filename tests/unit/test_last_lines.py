"""The last lines that are kept: few, and of bounded size."""

from workerd.daemon.io.last_lines import LastLines


def keep(lines: list[bytes], *, count: int = 50) -> LastLines:
    kept = LastLines(count, size=100)
    for line in lines:
        kept.append(line)
    return kept


def test_no_more_than_so_many_are_kept() -> None:
    kept = keep([b"1", b"2", b"3", b"4"], count=3)

    assert list(kept) == [b"2", b"3", b"4"]


def test_no_more_than_so_many_bytes_are_kept() -> None:
    kept = keep([b"a" * 60, b"b" * 50, b"c" * 40])

    assert list(kept) == [b"b" * 50, b"c" * 40]


def test_the_newest_is_there_whatever_its_size() -> None:
    kept = keep([b"small", b"x" * 1000])
    assert list(kept) == [b"x" * 1000]

    kept.append(b"small")
    assert list(kept) == [b"small"]

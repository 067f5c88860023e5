"""Our output on a file, on a disk that is full for a while: whole lines at every moment, none lost silently."""

import os
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.fakes import FakeClock, loop_of, turn
from tests.harness.small_disk import small_disk
from workerd.daemon.io.stdout import RETRY_S, Stdout

LINE = b"%07d " + b"x" * 991 + b"\n"
KIB = 1024


class Log:
    """An output on a file, and the file."""

    def __init__(self, path: Path, flags: int) -> None:
        self.path = path
        self.clock = FakeClock()
        self.loop = loop_of(self.clock)
        self.descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | flags)
        self.dropped: list[tuple[int, str]] = []
        self.stdout = Stdout(self.loop, self.descriptor, lambda *lost: self.dropped.append(lost))
        self.written = 0

    def write(self, count: int) -> None:
        for _ in range(count):
            self.stdout.write_line(LINE % self.written)
            self.written += 1
        turn(self.loop)

    def wait(self) -> None:
        self.clock.advance(RETRY_S)
        turn(self.loop)

    def close(self) -> None:
        self.stdout.close()
        os.close(self.descriptor)

    def numbers(self) -> list[int]:
        """Return the numbers of the lines; each must be whole."""
        text = self.path.read_bytes()
        lines = text.split(b"\n")
        assert lines.pop() == b""
        assert {len(line) for line in lines} <= {len(LINE % 0) - 1}
        return [int(line[:7]) for line in lines]


@pytest.fixture(params=[os.O_APPEND, 0], ids=["appending", "at its own place"])
def flags(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", kib=64) as folder:
        yield folder


@pytest.fixture
def log(disk: Path, flags: int) -> Iterator[Log]:
    log = Log(disk / "log", flags)
    yield log
    log.close()


def test_a_full_disk_holds_whole_lines_and_gets_the_others_when_it_has_room(log: Log, disk: Path) -> None:
    (disk / "ballast").write_bytes(b"x" * 30 * KIB)
    log.write(60)
    while_full = log.numbers()
    trouble = log.stdout.trouble
    log.write(1)
    (disk / "ballast").unlink()
    log.wait()

    assert while_full == list(range(len(while_full)))
    assert trouble
    assert log.numbers() == list(range(61))
    assert (log.dropped, log.stdout.trouble) == ([], "")


def test_a_log_that_is_emptied_to_make_room_begins_with_a_whole_line(log: Log) -> None:
    """Without a hole of null bytes, too, where it was not opened for appending."""
    log.write(100)
    kept = len(log.numbers())
    os.truncate(log.path, 0)
    log.wait()

    assert log.numbers() == list(range(kept, 100))


def test_what_a_disk_loses_that_stays_full_is_counted(log: Log) -> None:
    log.write(10_000)
    os.truncate(log.path, 0)
    kept = len(log.numbers())
    big = log.path.parent.parent / "big"
    os.dup2(os.open(big, os.O_WRONLY | os.O_CREAT | os.O_APPEND), log.stdout._descriptor)
    log.wait()
    log.path = big
    got = log.numbers()

    assert kept == 0
    assert got == sorted(got)
    assert sum(count for count, _ in log.dropped) > 0
    assert all(reason for _, reason in log.dropped)


def test_a_daemon_that_ends_while_the_disk_is_full_leaves_whole_lines_for_the_next(disk: Path, flags: int) -> None:
    first = Log(disk / "log", flags)
    first.write(100)
    first.close()
    os.truncate(disk / "log", 10 * len(LINE % 0))
    next_one = Log(disk / "log", os.O_APPEND)
    next_one.write(3)
    next_one.close()

    assert next_one.numbers() == [*range(10), 0, 1, 2]


def test_a_file_at_its_greatest_size_goes_on_when_it_was_emptied(tmp_path: Path, flags: int) -> None:
    """RLIMIT_FSIZE, as ``ulimit -f``: the kernel takes a part, then says EFBIG."""
    was = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # as Python has it from the start
    log = Log(tmp_path / "log", flags)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_500, was[1]))
    try:
        log.write(30)
        kept = log.numbers()
        os.truncate(log.path, 0)
        log.wait()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, was)
        signal.signal(signal.SIGXFSZ, handler)
    rest = log.numbers()
    log.close()

    assert kept == list(range(20))
    assert rest == list(range(20, 30))


def test_the_end_of_a_line_follows_where_its_beginning_cannot_be_taken_back(
    log: Log, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (disk / "ballast").write_bytes(b"x" * 30 * KIB)
    monkeypatch.setattr("workerd.daemon.io.stdout_kinds.os.ftruncate", refusing)
    log.write(60)
    (disk / "ballast").unlink()
    log.wait()

    assert log.numbers() == list(range(60))


def refusing(*_: object) -> None:
    raise PermissionError


def test_what_another_process_wrote_behind_a_torn_line_stays(log: Log, disk: Path) -> None:
    with (disk / "log").open("ab", buffering=0) as other:
        log.write(3)
        other.write(LINE % 3)
        log.written = 4
        log.write(3)

    assert log.numbers() == [0, 1, 2, 3, 4, 5, 6]


def test_a_device_without_room_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = FakeClock()
    loop = loop_of(clock)
    full = os.open("/dev/full", os.O_WRONLY)
    output = Stdout(loop, full, lambda *_: None)
    output.write_line(b"one\n")
    turn(loop)
    trouble = output.trouble
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, output._descriptor)
    clock.advance(RETRY_S)
    turn(loop)
    after = output.trouble
    output.close()
    os.close(full)
    os.close(null)

    assert (trouble, after) == ("No space left on device", "")

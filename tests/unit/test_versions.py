"""Versions of records only grow: the next life of the daemon writes over this one's rows, never the other way round."""

from pathlib import Path

import pytest

from tests.harness.fakes import FakeClock
from workerd.daemon.io.versions import Versions

BIGINT_MAX = 2**63 - 1
HOUR = 3600.0


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "shop.eu.epoch"


def last_of_a_life(path: Path, clock: FakeClock) -> int:
    versions = Versions(path, clock)
    for _ in range(1000):
        last = versions.next()
    return last


def test_they_grow_within_a_life(path: Path, clock: FakeClock) -> None:
    versions = Versions(path, clock)
    seen = [versions.next() for _ in range(100)]

    assert seen == sorted(set(seen))


def test_they_grow_over_a_restart(path: Path, clock: FakeClock) -> None:
    assert last_of_a_life(path, clock) < Versions(path, clock).next()


@pytest.mark.parametrize("jump", [-1e9, -HOUR, HOUR, 1e9])
def test_they_grow_whatever_the_clock_does(path: Path, clock: FakeClock, jump: float) -> None:
    before = last_of_a_life(path, clock)
    clock.wall_now += jump

    assert before < Versions(path, clock).next()


@pytest.mark.parametrize("content", ["", "nonsense", "\x00\x00"])
def test_they_grow_where_the_file_was_spoilt(path: Path, clock: FakeClock, content: str) -> None:
    before = last_of_a_life(path, clock)
    path.write_text(content)
    clock.advance(HOUR)

    assert before < Versions(path, clock).next()


def test_they_grow_where_state_dir_was_lost(tmp_path: Path, clock: FakeClock) -> None:
    """A container's STATE_DIR may begin empty at every deploy, and its rows in the database are still there."""
    (tmp_path / "old").mkdir()
    (tmp_path / "new").mkdir()
    before = last_of_a_life(tmp_path / "old" / "shop.epoch", clock)
    clock.advance(HOUR)

    assert before < Versions(tmp_path / "new" / "shop.epoch", clock).next()


@pytest.mark.parametrize("where", ["journal", "database"])
def test_they_grow_over_what_a_life_with_its_clock_ahead_has_left(tmp_path: Path, clock: FakeClock, where: str) -> None:
    """STATE_DIR is lost, and the clock is right again: what that life wrote is found, and passed over."""
    (tmp_path / "old").mkdir()
    (tmp_path / "new").mkdir()
    clock.wall_now += 1e9
    before = last_of_a_life(tmp_path / "old" / "shop.epoch", clock)
    clock.wall_now -= 1e9
    versions = Versions(tmp_path / "new" / "shop.epoch", clock)
    versions.next()

    assert versions.pass_over(before, where)
    assert before < versions.next()
    assert versions.next() < Versions(tmp_path / "new" / "shop.epoch", clock).next()


def test_they_grow_over_a_life_of_the_same_minute(tmp_path: Path, clock: FakeClock) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "new").mkdir()
    before = last_of_a_life(tmp_path / "old" / "shop.epoch", clock)
    versions = Versions(tmp_path / "new" / "shop.epoch", clock)
    for _ in range(2000):
        versions.next()

    assert versions.pass_over(before, "database")


def test_what_this_life_has_written_is_not_passed_over(path: Path, clock: FakeClock) -> None:
    versions = Versions(path, clock)
    last = [versions.next() for _ in range(10)][-1]

    assert not versions.pass_over(0, "database")
    assert not versions.pass_over(last, "database")  # as the next ledger finds it


def test_they_fit_the_column(path: Path, clock: FakeClock) -> None:
    for year_s in (4_102_444_800.0, 12_000_000_000.0):  # 2100, and 2350
        clock.wall_now = year_s
        last = last_of_a_life(path, clock)

        assert last < BIGINT_MAX
        assert last < last_of_a_life(path, clock) < BIGINT_MAX


def test_nothing_but_the_epoch_is_left_in_state_dir(path: Path, clock: FakeClock) -> None:
    Versions(path, clock)

    assert [entry.name for entry in path.parent.iterdir()] == ["shop.eu.epoch"]


def test_a_folder_that_takes_no_file_is_an_error_of_the_system(tmp_path: Path, clock: FakeClock) -> None:
    with pytest.raises(OSError, match="No such file"):
        Versions(tmp_path / "missing" / "shop.epoch", clock)

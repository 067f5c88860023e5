"""STATE_DIR is the daemon's alone: a folder that others may write to is refused, and no link in it is followed."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.harness.fakes import FakeClock
from workerd.conf import find_problems
from workerd.daemon.io.versions import Versions
from workerd.daemon.node.state_dir import StateDir
from workerd.daemon.processes.lock import DaemonLock
from workerd.daemon.processes.roster import Roster
from workerd.ledger.journal_connection import open_journal
from workerd.wire.config import DaemonConfig
from workerd.wire.private_folder import why_not_private

OTHERS = 65534


@pytest.mark.parametrize(
    ("mode", "is_private"),
    [(0o700, True), (0o755, True), (0o750, True), (0o770, False), (0o707, False), (0o777, False), (0o1777, False)],
)
def test_a_folder_that_others_may_write_to_is_refused_with_the_remedy(
    tmp_path: Path, settings: object, mode: int, is_private: bool
) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    folder.chmod(mode)
    settings.WORKERD = {"STATE_DIR": str(folder)}  # type: ignore[attr-defined]
    problems = [str(problem) for problem in find_problems(for_run=True) if problem.level == "error"]

    assert (problems == []) == is_private
    if not is_private:
        assert f"others may write to it (mode {mode:o}): chmod 700 it" in problems[0]
        with pytest.raises(PermissionError, match="others may write to it"):
            StateDir(DaemonConfig("shop", str(folder), "web1", "0", (), str(folder), "json", tree=f"test {folder}"))
        assert list(folder.iterdir()) == []


def test_a_folder_that_is_not_there_is_made_by_the_daemon(tmp_path: Path) -> None:
    assert why_not_private(tmp_path / "state") == ""


@pytest.mark.parametrize(
    ("mode", "is_private"), [(0o755, True), (0o775, True), (0o1777, True), (0o777, False), (0o703, False)]
)
@pytest.mark.parametrize("below", ["state", "made/later/state"])
def test_a_folder_that_every_user_may_replace_is_refused(
    tmp_path: Path, mode: int, is_private: bool, below: str
) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(mode)
    (shared / "state").mkdir(mode=0o700)

    found = why_not_private(shared / below)

    assert (found == "") == is_private
    if not is_private:
        assert found.endswith(f"chmod o-w {shared}, or name a folder elsewhere")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    os.chown(tmp_path, OTHERS, OTHERS)

    assert why_not_private(tmp_path).startswith(f"it belongs to another user (uid {OTHERS}): chown ")


def write_pid(folder: Path) -> None:
    DaemonLock(folder, "shop").sign()


def take_lock(folder: Path) -> None:
    DaemonLock(folder, "shop").acquire()


def write_epoch(folder: Path) -> None:
    Versions(folder / "shop.epoch", FakeClock()).keep()


def write_journal(folder: Path) -> None:
    open_journal(folder / "shop.journal").close()


def write_roster(folder: Path) -> None:
    roster = Roster(folder, "shop")
    for _ in range(2):
        roster.add(os.getpid(), "a-run", "feed", 0)


WRITERS = {
    write_pid: ("shop.pid", "shop.pid.new"),
    take_lock: ("shop.lock",),
    write_epoch: ("shop.epoch", "shop.epoch.new"),
    write_journal: ("shop.journal",),
    write_roster: ("shop.processes", "shop.processes.new"),
}


@pytest.mark.parametrize(
    ("write", "name"), [(write, name) for write, names in WRITERS.items() for name in names], ids=str
)
def test_a_link_is_not_followed(tmp_path: Path, write: Callable[[Path], None], name: str) -> None:
    folder, precious = tmp_path / "state", tmp_path / "precious"
    folder.mkdir()
    precious.write_text("precious")
    (folder / name).symlink_to(precious)
    with suppress(OSError, sqlite3.Error):
        write(folder)

    assert precious.read_text() == "precious"
    assert precious.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("write", WRITERS)
def test_no_other_user_reads_what_is_written(tmp_path: Path, write: Callable[[Path], None]) -> None:
    mask = os.umask(0)
    try:
        write(tmp_path)
    finally:
        os.umask(mask)

    assert {path.name: path.stat().st_mode & 0o077 for path in tmp_path.iterdir()} == dict.fromkeys(
        (path.name for path in tmp_path.iterdir()), 0
    )


def test_a_journal_of_an_earlier_version_is_closed_to_others(tmp_path: Path) -> None:
    path = tmp_path / "shop.journal"
    sqlite3.connect(path).close()
    path.touch(mode=0o644)
    path.chmod(0o644)

    open_journal(path).close()

    assert path.stat().st_mode & 0o777 == 0o600

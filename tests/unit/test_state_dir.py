"""The daemon's place in STATE_DIR: what somebody takes away is put back, and another daemon there is yielded to."""

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.fakes import FakeClock, Lines, loop_of, recording_log, turn
from workerd.daemon.io.control import ControlSocket
from workerd.daemon.node import state_dir as module
from workerd.daemon.node.state_dir import LOOKS_S, StateDir
from workerd.daemon.processes.lock import DaemonLock, LockHeldError, LockLostError
from workerd.wire.config import DaemonConfig


class Setup:
    """A daemon's place in a folder, looked at whenever the test lets time pass."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.clock = FakeClock()
        self.loop = loop_of(self.clock)
        self.lines: Lines
        log, self.lines = recording_log()
        config = DaemonConfig("shop", str(folder), "web1", "0", (), str(folder), "json", tree=f"test {folder}")
        self.state_dir = StateDir(config)
        self.control = ControlSocket(self.loop, folder, "shop", lambda _connection, _request: None)
        self.put_back = 0
        self.ended = False
        self.displaced: list[str] = []
        self.state_dir.watch(self.loop, log, self.control, self._back, self.displaced.append)

    def _back(self) -> None:
        self.put_back += 1

    def end(self) -> None:
        """End, once."""
        if not self.ended:
            self.ended = True
            self.state_dir.end()

    def look(self) -> None:
        """Let the time of a look pass."""
        self.clock.advance(LOOKS_S)
        turn(self.loop)

    @property
    def files(self) -> set[str]:
        return {path.name for path in self.folder.iterdir()} if self.folder.exists() else set()


@pytest.fixture
def setup(tmp_path: Path) -> Iterator[Setup]:
    setup = Setup(tmp_path / "state")
    yield setup
    setup.end()
    if setup.state_dir._lock._descriptor is not None:
        os.close(setup.state_dir._lock._descriptor)  # a daemon keeps it to its end


@pytest.fixture
def other_daemon(setup: Setup) -> Iterator[int]:
    """Another daemon's process, which holds the lock in this one's place."""
    (setup.folder / "shop.lock").unlink()
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        signal.alarm(60)
        try:
            lock = DaemonLock(setup.folder, "shop")
            lock.acquire()
            lock.sign()
            os.write(writing, b"1")
            while True:
                signal.pause()
        finally:
            os._exit(1)
    os.close(writing)
    assert os.read(reading, 1)
    os.close(reading)
    yield pid
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def test_a_daemon_has_its_lock_its_pid_and_its_socket_there(setup: Setup) -> None:
    assert setup.files == {"shop.lock", "shop.pid", "shop.sock"}
    assert (setup.folder / "shop.pid").read_text() == f"{os.getpid()}\n"


def test_what_is_in_place_is_let_be(setup: Setup) -> None:
    setup.look()

    assert (setup.lines.events, setup.put_back) == ([], 0)


@pytest.mark.parametrize(
    ("taken", "what"), [(["shop.lock"], "the lock"), (["shop.sock"], "the socket"), ([], "the lock and the socket")]
)
def test_what_was_taken_away_is_put_back_and_said(setup: Setup, taken: list[str], what: str) -> None:
    for name in taken:
        (setup.folder / name).unlink()
    if not taken:
        shutil.rmtree(setup.folder)
    setup.look()

    assert {"shop.lock", "shop.sock"} <= setup.files
    assert setup.lines.of("state_dir.restored") == [{"state_dir": str(setup.folder), "reason": f"{what} went away"}]
    assert setup.put_back == 1


def test_what_was_put_back_keeps_others_out(setup: Setup) -> None:
    shutil.rmtree(setup.folder)
    setup.look()
    pid = os.fork()
    if pid == 0:
        try:
            DaemonLock(setup.folder, "shop").acquire()
        except LockHeldError:
            os._exit(7)
        os._exit(0)

    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7


def test_what_cannot_be_put_back_is_said_once_for_each_reason(setup: Setup) -> None:
    shutil.rmtree(setup.folder)
    setup.folder.write_text("a file in its place")
    setup.look()
    setup.look()
    setup.folder.unlink()
    setup.look()

    [lost] = setup.lines.of("state_dir.lost")
    assert lost["reason"].startswith("the lock and the socket went away and cannot be made anew")
    assert len(setup.lines.of("state_dir.restored")) == 1


def test_a_folder_that_others_may_write_to_now_is_not_used(setup: Setup) -> None:
    setup.folder.chmod(0o777)
    (setup.folder / "shop.sock").unlink()
    setup.look()

    [lost] = setup.lines.of("state_dir.lost")
    assert "others may write to it" in lost["reason"]


def test_another_daemon_in_its_place_is_yielded_to_at_the_second_look(setup: Setup, other_daemon: int) -> None:
    """A start that finds this daemon and gives up holds the lock for a moment, too."""
    setup.look()
    first = list(setup.displaced)
    setup.look()

    assert first == []
    [reason] = setup.displaced
    assert reason.startswith(
        f"another daemon has taken this one's place in STATE_DIR {setup.folder}: "
        "another daemon named 'shop' already runs"
    )
    assert f"(pid {other_daemon})" in reason


def test_a_daemon_that_runs_though_its_files_are_gone_keeps_another_from_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "find_running_daemon", lambda _tree: 4711)
    config = DaemonConfig("shop", str(tmp_path), "web1", "0", (), str(tmp_path), "json", tree="a tree")
    with pytest.raises(LockLostError) as caught:
        StateDir(config)

    assert str(caught.value) == (
        f"another daemon named 'shop' already runs (pid 4711), though its files are gone from {tmp_path}: "
        "no command reaches it. Stop it first: kill 4711."
    )


def test_a_folder_that_is_not_there_cannot_be_used(tmp_path: Path) -> None:
    config = DaemonConfig("shop", str(tmp_path / "nowhere"), "web1", "0", (), str(tmp_path), "json", tree="a tree")
    with pytest.raises(FileNotFoundError):
        StateDir(config)


def test_the_socket_is_gone_at_the_end(setup: Setup) -> None:
    setup.end()

    assert "shop.sock" not in setup.files

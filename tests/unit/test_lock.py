"""One daemon of a NAME: the kernel holds the lock for as long as the process lives, and no longer."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from workerd.daemon.processes.lock import DaemonLock, LockHeldError, holds_lock


class Holder:
    """Another process that holds the lock until it is killed."""

    def __init__(self, state_dir: Path, forks: bool = False) -> None:
        reading, writing = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            _hold(state_dir, writing, forks)
        os.close(writing)
        answer = os.read(reading, 99)
        os.close(reading)
        self.forked = int(answer)

    def kill(self) -> None:
        with suppress(ProcessLookupError, ChildProcessError):
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)

    def end(self) -> None:
        self.kill()
        if self.forked:
            with suppress(ProcessLookupError):
                os.kill(self.forked, signal.SIGKILL)


def _hold(state_dir: Path, writing: int, forks: bool) -> None:
    signal.alarm(60)
    try:
        lock = DaemonLock(state_dir, "shop")
        lock.acquire()
        lock.sign()
        forked = os.fork() if forks else 0
        if forks and forked == 0:
            signal.alarm(60)
        else:
            os.write(writing, b"%d" % forked)
        while True:
            signal.pause()
    finally:
        os._exit(1)


Hold = Callable[..., Holder]


@pytest.fixture
def hold(tmp_path: Path) -> Iterator[Hold]:
    made: list[Holder] = []

    def make(forks: bool = False) -> Holder:
        made.append(Holder(tmp_path, forks))
        return made[-1]

    yield make
    for holder in made:
        holder.end()


def taken_here(state_dir: Path, name: str = "shop") -> bool:
    """Whether another process could take it, seen from a process of its own: locks are the process's."""
    pid = os.fork()
    if pid == 0:
        try:
            DaemonLock(state_dir, name).acquire()
        except LockHeldError:
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_a_free_lock_is_taken_and_says_by_whom(tmp_path: Path) -> None:
    lock = DaemonLock(tmp_path, "free")
    lock.acquire()
    lock.sign()

    assert (tmp_path / "free.pid").read_text() == f"{os.getpid()}\n"
    assert not taken_here(tmp_path, "free")


def test_a_second_daemon_is_refused_by_a_sentence_with_pid_file_and_remedy(tmp_path: Path, hold: Hold) -> None:
    holder = hold()
    with pytest.raises(LockHeldError) as caught:
        DaemonLock(tmp_path, "shop").acquire()

    assert str(caught.value) == (
        f"another daemon named 'shop' already runs (pid {holder.pid}): it holds {tmp_path}/shop.lock. "
        "Stop it first, or give this one another WORKERD['NAME']."
    )


def test_another_name_is_another_lock(tmp_path: Path, hold: Hold) -> None:
    hold()

    assert taken_here(tmp_path, "warehouse")


def test_a_refused_daemon_does_not_free_the_lock(tmp_path: Path, hold: Hold) -> None:
    hold()
    first, second = taken_here(tmp_path), taken_here(tmp_path)

    assert (first, second) == (False, False)


def test_it_is_free_when_its_holder_was_killed(tmp_path: Path, hold: Hold) -> None:
    hold().kill()

    assert taken_here(tmp_path)


def test_it_is_free_when_its_holder_was_killed_though_a_child_of_its_lives(tmp_path: Path, hold: Hold) -> None:
    holder = hold(forks=True)
    holder.kill()
    os.kill(holder.forked, 0)  # it lives

    assert taken_here(tmp_path)


def test_a_file_unlinked_while_it_is_held_lets_a_new_one_be_made(tmp_path: Path, hold: Hold) -> None:
    """Nothing can forbid an operator that; whoever comes then holds the new file, which the one after meets."""
    hold()
    (tmp_path / "shop.lock").unlink()
    hold()

    assert not taken_here(tmp_path)


def test_a_file_unlinked_between_open_and_lock_is_not_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[bool] = []
    true_look = DaemonLock._still_there

    def look(lock: DaemonLock, descriptor: int) -> bool:
        if not looked:
            (tmp_path / "shop.lock").unlink()
        looked.append(true_look(lock, descriptor))
        return looked[-1]

    monkeypatch.setattr(DaemonLock, "_still_there", look)
    DaemonLock(tmp_path, "shop").acquire()

    assert looked == [False, True]


def test_it_is_taken_again_where_its_file_is_gone(tmp_path: Path) -> None:
    lock = DaemonLock(tmp_path, "shop")
    lock.acquire()
    (tmp_path / "shop.lock").unlink()
    gone = not lock.is_in_place()
    lock.acquire()

    assert gone
    assert lock.is_in_place()
    assert not taken_here(tmp_path)
    assert _open_times("shop.lock", tmp_path) == 1


def test_who_holds_a_lock_is_told_from_who_tried(tmp_path: Path, hold: Hold) -> None:
    holder = hold(forks=True)

    assert (holds_lock(holder.pid), holds_lock(holder.forked)) == (True, False)


def test_its_file_is_private_and_close_on_exec(tmp_path: Path) -> None:
    DaemonLock(tmp_path, "private").acquire()
    descriptor = next(
        entry for entry in Path("/proc/self/fd").iterdir() if _target(entry) == str(tmp_path / "private.lock")
    )

    assert (tmp_path / "private.lock").stat().st_mode & 0o777 == 0o600
    assert not os.get_inheritable(int(descriptor.name))


def _open_times(name: str, folder: Path) -> int:
    """Return how many descriptors are open on a file of this name, also where it is unlinked."""
    return sum(_target(entry).startswith(str(folder / name)) for entry in Path("/proc/self/fd").iterdir())


def _target(entry: Path) -> str:
    try:
        return str(entry.readlink())
    except OSError:
        return ""


def test_a_folder_that_is_not_there_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        DaemonLock(tmp_path / "missing", "shop").acquire()

"""The lock that admits one daemon of a NAME: the kernel drops it with the process, whatever its children hold."""

import errno
import fcntl
import os

from workerd.daemon.io.files import StrPath, read_text, write_private
from workerd.errors import WorkerdError
from workerd.wire.private_folder import PRIVATE_FILE


class DaemonRunsError(WorkerdError):
    """Another daemon of this NAME runs on this machine."""


class LockLostError(DaemonRunsError):
    """Another daemon of this NAME runs, but its files are gone from STATE_DIR."""

    def __init__(self, name: str, state_dir: StrPath, pid: int) -> None:
        super().__init__(
            f"another daemon named {name!r} already runs (pid {pid}), though its files are gone from {state_dir}: "
            f"no command reaches it. Stop it first: kill {pid}."
        )


class LockHeldError(DaemonRunsError):
    """Another daemon of this NAME holds the lock."""

    def __init__(self, name: str, path: str, pid: str) -> None:
        by = f" (pid {pid})" if pid else ""
        super().__init__(
            f"another daemon named {name!r} already runs{by}: it holds {path}. "
            "Stop it first, or give this one another WORKERD['NAME']."
        )


class DaemonLock:
    """A POSIX record lock (fcntl(2)) on one descriptor, which stays open for the daemon's life.

    Closing any other descriptor of the same file would free the lock, so the pid is kept in a file of its own.
    """

    def __init__(self, state_dir: StrPath, name: str) -> None:
        self._name = name
        self._path = os.path.join(state_dir, f"{name}.lock")
        self._descriptor: int | None = None
        self._pid_path = os.path.join(state_dir, f"{name}.pid")

    def acquire(self) -> None:
        """Take the lock and hold it until the process ends; take it again where its file is gone.

        Raises LockHeldError, or OSError where STATE_DIR cannot be used.
        """
        while True:  # taken after the exec, which would drop it
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            descriptor = os.open(self._path, flags, PRIVATE_FILE)
            try:
                fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                os.close(descriptor)
                if error.errno in (errno.EACCES, errno.EAGAIN):
                    raise LockHeldError(self._name, self._path, self._holder()) from error
                raise
            if self._still_there(descriptor):  # a file that was unlinked meanwhile would lock nobody out
                break
            os.close(descriptor)
        if self._descriptor is not None:
            os.close(self._descriptor)  # of a file that is gone from there
        self._descriptor = descriptor

    def sign(self) -> None:
        """Write down the pid, for the daemon that is refused and for people."""
        write_private(self._pid_path, f"{os.getpid()}\n")

    def is_in_place(self) -> bool:
        """Return whether the lock file in STATE_DIR is the one that this daemon holds."""
        return self._descriptor is not None and self._still_there(self._descriptor)

    def _still_there(self, descriptor: int) -> bool:
        try:
            return os.path.samestat(os.fstat(descriptor), os.lstat(self._path))
        except OSError:
            return False

    def _holder(self) -> str:
        try:
            return read_text(self._pid_path).strip()
        except OSError:
            return ""


def holds_lock(pid: int) -> bool:
    """Return whether a process holds a POSIX lock on any file (proc_locks(5)); False where /proc does not tell."""
    try:
        lines = read_text("/proc/locks").splitlines()
    except OSError:
        return False
    return any(words[1:4] == ["POSIX", "ADVISORY", "WRITE"] and words[4] == str(pid) for words in map(str.split, lines))

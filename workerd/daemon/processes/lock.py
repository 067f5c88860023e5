"""One daemon of a NAME: a POSIX record lock, which the kernel drops with the process, whatever its children hold."""

import errno
import fcntl
import os
from pathlib import Path


class DaemonRunsError(Exception):
    """Another daemon of this NAME runs here."""


class LockLostError(DaemonRunsError):
    """It does, and what shows it is gone from STATE_DIR."""

    def __init__(self, name: str, state_dir: Path, pid: int) -> None:
        super().__init__(
            f"another daemon named {name!r} already runs (pid {pid}), though its files are gone from {state_dir}: "
            f"nobody can ask it anything. Stop it first: kill {pid}."
        )


class LockHeldError(DaemonRunsError):
    """It holds the lock."""

    def __init__(self, name: str, path: Path, pid: str) -> None:
        by = f" (pid {pid})" if pid else ""
        super().__init__(
            f"another daemon named {name!r} already runs{by}: it holds {path}. "
            "Stop it first, or give this one another WORKERD['NAME']."
        )


class DaemonLock:
    """``fcntl.lockf`` on one descriptor for life: closing any other descriptor of the file would free it too.

    Taken after the exec, which would drop it; the inode is re-checked: a file unlinked meanwhile locks nobody out.
    """

    def __init__(self, state_dir: Path, name: str) -> None:
        self._name = name
        self._path = state_dir / f"{name}.lock"
        self._descriptor: int | None = None
        self._pid_path = state_dir / f"{name}.pid"

    def acquire(self) -> None:
        """Hold the lock until the process ends; again, where its file is gone.

        Raises LockHeldError, or OSError where STATE_DIR cannot be used.
        """
        while True:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                os.close(descriptor)
                if error.errno in (errno.EACCES, errno.EAGAIN):
                    raise LockHeldError(self._name, self._path, self._holder()) from error
                raise
            if self._still_there(descriptor):
                break
            os.close(descriptor)
        if self._descriptor is not None:
            os.close(self._descriptor)  # of a file that is gone from there
        self._descriptor = descriptor

    def sign(self) -> None:
        """Say who holds it, for whoever is refused and for people."""
        self._pid_path.write_text(f"{os.getpid()}\n")

    def is_in_place(self) -> bool:
        """Return whether who looks into STATE_DIR sees that we run."""
        return self._descriptor is not None and self._still_there(self._descriptor)

    def _still_there(self, descriptor: int) -> bool:
        try:
            return os.path.samestat(os.fstat(descriptor), self._path.stat())
        except OSError:
            return False

    def _holder(self) -> str:
        try:
            return self._pid_path.read_text().strip()
        except OSError:
            return ""


def holds_lock(pid: int) -> bool:
    """Return whether a process holds a POSIX lock, of whatever file (proc_locks(5)); no, where nobody can tell."""
    try:
        lines = Path("/proc/locks").read_text().splitlines()
    except OSError:
        return False
    return any(words[1:4] == ["POSIX", "ADVISORY", "WRITE"] and words[4] == str(pid) for words in map(str.split, lines))

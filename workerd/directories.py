"""Checks that a row's working directory can be entered, and says why where it cannot."""

import errno
import os

from .errors import WorkerdError


class DirectoryError(WorkerdError):
    """The process of a job cannot begin where its row says; ``path`` is the row's working directory."""

    def __init__(self, path: str, reason: OSError) -> None:
        self.path = path
        why = os.strerror(reason.errno or 0)
        super().__init__(
            f"working_directory is “{path}”, which cannot be entered ({why}): make it, or correct the row."
        )


def try_directory(path: str) -> None:
    """Raise DirectoryError where this process could not enter ``path``; stay where it is."""
    try:
        os.close(os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC))
    except OSError as error:
        raise DirectoryError(path, error) from None
    if not os.access(path, os.X_OK):
        raise DirectoryError(path, PermissionError(errno.EACCES, ""))


def enter_directory(path: str) -> None:
    """Change to ``path``. Raises DirectoryError."""
    try:
        os.chdir(path)
    except OSError as error:
        raise DirectoryError(path, error) from None

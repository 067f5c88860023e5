"""Small files, read and written whole. The daemon does without pathlib, which imports fnmatch, urllib and ipaddress."""

import os
from contextlib import suppress

from workerd.wire.private_folder import PRIVATE_FILE

StrPath = str | os.PathLike[str]


def read_text(path: StrPath) -> str:
    with open(path) as file:
        return file.read()


def write_private(path: StrPath, text: str) -> None:
    """Put a file in the place of ``path`` that our user alone reads: what a link there points to is left alone."""
    path = os.fspath(path)
    fresh = f"{path}.new"
    with suppress(FileNotFoundError):
        os.unlink(fresh)  # left by a daemon that was killed here, or put there by somebody
    with open(fresh, "x", opener=_open_private) as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(fresh, path)


def folder_id(path: StrPath) -> str:
    """Return what tells a folder from every copy of it on this boot of the machine. Raises OSError."""
    status = os.stat(path)
    return f"{status.st_dev}:{status.st_ino}"


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, PRIVATE_FILE)

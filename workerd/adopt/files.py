"""Reads a file that may be anything: only a regular file of a bounded size, as UTF-8."""

import os
import stat
from pathlib import Path

from workerd.errors import WorkerdError

MAX_BYTES = 2**18
"""More than any of these files that people write."""


class UnreadableFileError(WorkerdError):
    """A file that cannot be adopted from at all: the sentence names it and the remedy."""

    def __init__(self, path: Path, problem: str) -> None:
        self.path = path
        super().__init__(f"“{path}” {problem}")


def read_text(path: Path) -> str:
    """Return the text of a file. Raises UnreadableFileError; never waits for a pipe's other end."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    except (OSError, ValueError) as error:  # a path with a null character is a ValueError
        reason = error.strerror if isinstance(error, OSError) else error
        raise UnreadableFileError(path, f"cannot be read ({reason}): name a file that you may read.") from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise UnreadableFileError(path, "is not a regular file: name the file itself.")
        with open(descriptor, "rb", closefd=False) as file:
            return _decode(path, file.read(MAX_BYTES + 1))
    except OSError as error:
        raise UnreadableFileError(path, f"cannot be read ({error.strerror}).") from error
    finally:
        os.close(descriptor)


def _decode(path: Path, content: bytes) -> str:
    if len(content) > MAX_BYTES:
        raise UnreadableFileError(path, f"is larger than {MAX_BYTES // 1024} KiB: it is no file of this kind.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableFileError(path, f"is not UTF-8 (byte {error.start + 1}): save it as UTF-8.") from error
    if "\0" in text:
        raise UnreadableFileError(path, "holds a null character: it is no text.")
    return text.replace("\r\n", "\n").replace("\r", "\n")

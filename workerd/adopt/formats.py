"""Each file's format is found here, and the programs of all files are adopted together."""

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import NamedTuple

from workerd.errors import WorkerdError

from . import crontab, procfile, supervisor, systemd
from .adopted import Result
from .context import Context
from .files import read_text
from .names import name_apart


class Format(NamedTuple):
    """A kind of file: whether a file looks like it, and its reader."""

    fits: Callable[[Path, str], bool]
    read: Callable[[Path, str, Context], Result]


FORMATS: Mapping[str, Format] = {
    "supervisor": Format(supervisor.fits, supervisor.read),
    "systemd": Format(systemd.fits, systemd.read),
    "procfile": Format(procfile.fits, procfile.read),
    "cron.d": Format(crontab.fits_with_users, crontab.read_with_users),
    "crontab": Format(crontab.fits, crontab.read),
}
"""By the name that ``--format`` takes; the first one that fits is taken."""


class UnknownFormatError(WorkerdError):
    """No format fits a file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        formats = ", ".join(FORMATS)
        super().__init__(f"“{path}” looks like no file that can be adopted from: say --format, one of {formats}.")


def adopt(paths: Collection[Path], context: Context, name_of_format: str = "") -> Result:
    """Return what comes of all files, each job under a name of its own.

    Raises UnreadableFileError and UnknownFormatError.
    """
    found = [_read(path, context, name_of_format) for path in paths]
    return Result(
        adopted=list(name_apart(program for result in found for program in result.adopted)),
        refused=[program for result in found for program in result.refused],
        notes=list(dict.fromkeys(note for result in found for note in result.notes)),
    )


def _read(path: Path, context: Context, name_of_format: str) -> Result:
    text = read_text(path)
    if name_of_format:
        return FORMATS[name_of_format].read(path, text, context)
    for kind in FORMATS.values():
        if kind.fits(path, text):
            return kind.read(path, text, context)
    raise UnknownFormatError(path)

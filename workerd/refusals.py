"""Why a row cannot run as it is written: one sentence that names the thing, one that names the remedy."""

import importlib
import os
import traceback
from pathlib import Path

from .errors import WorkerdError


class TargetError(WorkerdError):
    """A row cannot run as it is written. ``field`` is the field to correct: target, command, kwargs or nice."""

    def __init__(self, field: str, problem: str, remedy: str) -> None:
        self.field = field
        super().__init__(f"{problem}. {remedy}")


def import_failed(field: str, name: str, error: BaseException) -> TargetError:
    """Return the refusal of ``name``, whose module raised ``error``: the traceback's last line and where it points."""
    said = f"{type(error).__name__}: {error}".partition("\n")[0].strip().rstrip(":.")
    return TargetError(
        field, f"“{name}” does not import: {said}{_place(error)}", "Correct the code, then reload workerd."
    )


_MACHINERY = ("<frozen", importlib.__path__[0], str(Path(__file__).parent), f"{os.sep}django{os.sep}core{os.sep}")


def _place(error: BaseException) -> str:
    """Return where the project's code raised it; a SyntaxError says so itself, an absent module has no such place."""
    frames = [
        one for one in traceback.extract_tb(error.__traceback__) if not any(part in one.filename for part in _MACHINERY)
    ]
    if isinstance(error, SyntaxError) or not frames:
        return ""
    return f" ({frames[-1].filename}, line {frames[-1].lineno})"

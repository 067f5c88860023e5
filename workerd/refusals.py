"""Why a row cannot run as it is written: sentences that name the thing and the remedy."""

import importlib
import os
import traceback
from collections.abc import Iterable
from pathlib import Path

from .errors import WorkerdError
from .job_rules import Fault, join_sentences


class RowError(WorkerdError):
    """A row cannot run as it is written; ``faults`` name the fields to correct."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__(join_sentences(self.faults))


class TargetError(RowError):
    """What the row names is not allowed, does not load, or does not take the row's arguments."""

    def __init__(self, field: str, problem: str, remedy: str) -> None:
        super().__init__([Fault(field, f"{problem}. {remedy}")])


def import_failed(field: str, name: str, error: BaseException) -> TargetError:
    """Return the refusal of ``name``, whose module raised ``error``, with the error and the line that raised it."""
    reason = f"{type(error).__name__}: {error}".partition("\n")[0].strip().rstrip(":.")
    return TargetError(
        field, f"“{name}” does not import: {reason}{_place(error)}", "Correct the code, then reload workerd."
    )


_MACHINERY = ("<frozen", importlib.__path__[0], str(Path(__file__).parent), f"{os.sep}django{os.sep}core{os.sep}")


def _place(error: BaseException) -> str:
    """Return the line of the project's code that raised ``error``; a SyntaxError names its line itself."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not any(part in frame.filename for part in _MACHINERY)
    ]
    if isinstance(error, SyntaxError) or not frames:
        return ""
    return f" ({frames[-1].filename}, line {frames[-1].lineno})"

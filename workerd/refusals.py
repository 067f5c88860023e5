"""Refusals of rows that cannot run as they are written: sentences that name the thing and the remedy."""

import importlib
import os
import traceback
from collections.abc import Iterable
from pathlib import Path

from .errors import WorkerdError
from .job_rules import Fault, join_sentences
from .wire.reasons import Reason


class RowError(WorkerdError):
    """A row cannot run as it is written; ``faults`` name the fields to correct."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__(join_sentences(self.faults))
        self.public = join_sentences(Fault(fault.field, public_sentence(fault.sentence)) for fault in self.faults)
        """The same without the words of the project's code."""


class TargetError(RowError):
    """The target or command that a row names is not allowed, does not load, or does not take the row's arguments."""

    def __init__(self, field: str, problem: str, remedy: str, public: str = "") -> None:
        """``public`` is the problem without the words of the project's code, where it has some."""
        super().__init__([Fault(field, Reason(f"{problem}. {remedy}", f"{public or problem}. {remedy}"))])


def import_failed(field: str, name: str, error: BaseException) -> TargetError:
    """Return the refusal of ``name``, whose module raised ``error``, with the error and the line that raised it."""
    reason = f"{type(error).__name__}: {error}".partition("\n")[0].strip().rstrip(":.")
    own = f"“{name}” does not import"
    remedy = "Correct the code, then reload workerd."
    return TargetError(field, f"{own}: {reason}{_place(error)}", remedy, f"{own}: {type(error).__name__}")


def public_sentence(sentence: str) -> str:
    """Return a fault's sentence without the words of the project's code; those of the rules have none."""
    return sentence.public if isinstance(sentence, Reason) else sentence


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

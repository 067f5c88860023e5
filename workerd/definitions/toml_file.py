"""Reads a TOML file whole, or says in a sentence why it cannot be read, and where."""

import os
import re
import stat
import tomllib
from pathlib import Path
from typing import Any

from workerd.errors import WorkerdError
from workerd.job_rules.stored_json import READABLE_DEPTH
from workerd.wire.visible import visible

from .definition import DefinitionFault

MAX_BYTES = 2**20
"""Thousands of jobs. What is larger is another file by mistake."""

_TOML_ERROR = re.compile(r"(?P<what>.*) \(at (?P<where>line \d+, column \d+|end of document)\)", re.DOTALL)
_REMEDIES = {
    "Cannot declare": "Join the two tables, or rename one.",
    "Cannot mutate": "Join the two tables, or rename one.",
    "Cannot overwrite": "It stands there for the second time: remove one.",
}


class UnreadableError(WorkerdError):
    """The file cannot be read as TOML; ``fault`` says where and why."""

    def __init__(self, place: str, sentence: str) -> None:
        self.fault = DefinitionFault(place, sentence)
        super().__init__(str(self.fault))


def read_document(path: Path) -> tuple[dict[str, Any], str]:
    """Return what a file holds, and its text. Raises UnreadableError."""
    name = shown_path(path)
    text = _read_text(path, name)
    return _parse(text, name), text


def shown_path(path: Path) -> str:
    """Return the path as people know it: from the working directory, where it is below that."""
    try:
        return visible(str(path.relative_to(Path.cwd())))
    except (ValueError, OSError):
        return visible(str(path))


def _read_text(path: Path, name: str) -> str:
    try:
        data = _read_bytes(path, name)
    except (OSError, ValueError) as error:
        reason = os.strerror(error.errno or 0) if isinstance(error, OSError) else str(error)
        remedy = 'Correct the path, WORKERD["DEFINITIONS"] or the rights of the file.'
        raise UnreadableError(name, f"the file cannot be read ({reason}). {remedy}") from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UnreadableError(f"{name}, line {line}", "the text is not UTF-8. Save the file as UTF-8.") from None


def _read_bytes(path: Path, name: str) -> bytes:
    kind = path.stat().st_mode
    if stat.S_ISDIR(kind):
        raise UnreadableError(name, "this is a directory. Name the TOML file in it.")
    if not stat.S_ISREG(kind):  # to open a pipe would wait for its writer
        raise UnreadableError(name, "this is no plain file. Name a TOML file.")
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise UnreadableError(
            name, f"the file has more than {MAX_BYTES} bytes. Name a file of definitions, or split it."
        )
    return data


def _parse(text: str, name: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = _TOML_ERROR.fullmatch(str(error))
        what, where = (found["what"], found["where"]) if found else (str(error), "")
        remedy = next((remedy for words, remedy in _REMEDIES.items() if what.startswith(words)), "Correct it there.")
        place = f"{name}, {where}" if where else name
        raise UnreadableError(place, f"this is not TOML: {visible(what)}. {remedy}") from None
    except RecursionError:
        sentence = f"a value nests deeper than {READABLE_DEPTH} lists and tables. Make it flatter."
        raise UnreadableError(name, sentence) from None
    except ValueError as error:  # a number of thousands of digits
        raise UnreadableError(name, f"a value cannot be read ({error}). Correct it.") from None

"""What was seen of one run of a command: what it said, how it ended, what it did, what it left behind."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

CHANGING = (
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d([.,]\d+)?(Z|[+-]\d\d:?\d\d)?"), "~"),
    (re.compile(r"\d\d/\w{3}/\d{4}[: ]\d\d:\d\d:\d\d( [+-]\d{4})?"), "~"),
    (re.compile(r"\b[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}\b"), "~"),
    (re.compile(r"\b0x[0-9a-f]+\b"), "~"),
    (re.compile(r"\b(?=[0-9a-f]*\d)[0-9a-f]{8,}\b"), "~"),
    (re.compile(r"\d+"), "#"),
)
"""Times, identities and numbers: no two runs have the same."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of output; level and logger are empty where it was printed, the stream where it is not known."""

    text: str
    level: str = ""
    logger: str = ""
    stream: str = ""


@dataclass(frozen=True)
class Observation:
    """One run, with what changes from run to run taken out."""

    exit: str
    """The exit code, or the name of the signal."""
    deeds: tuple[str, ...]
    """What became of the work, sorted."""
    left: tuple[str, ...]
    """Processes, rows, keys and files, sorted."""
    output: tuple[Line, ...]
    seconds: float
    """From the signal to the end."""

    def became_of(self, name: str) -> str:
        """Say in a word or two what became of the work called ``name``."""
        about = [words.split() for words in self.deeds]
        said = [" ".join([word, *rest]) for word, what, *rest in about if what == name and word in ("cut", "done")]
        if said:
            return ", ".join(dict.fromkeys(said)).replace("done", "finished")
        return "lost" if [name for word, what, *_ in about if what == name and word == "began"] else "not begun"


def steady(text: str, noise: Iterable[str] = ()) -> str:
    """Return the text without what changes from run to run."""
    for pattern in noise:
        text = re.sub(pattern, "~", text)
    for changing, instead in CHANGING:
        text = changing.sub(instead, text)
    return text.strip()

"""The problem of a job's row, as two columns hold it: the whole sentence, and its public part."""

from typing import NamedTuple


class Problem(NamedTuple):
    """The sentences that say it, and the same without the words of the project's code."""

    problem: str = ""
    public_problem: str = ""

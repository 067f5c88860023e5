"""The two columns that hold what is wrong with a job's row: the whole sentence, and its public part."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from django.db.models import Case, TextField, Value, When


class Problem(NamedTuple):
    """The sentences that say it, and the same without the words of the project's code."""

    problem: str = ""
    public_problem: str = ""


def problem_columns(key: str, problems: Mapping[Any, Problem]) -> dict[str, Case]:
    """Return what ``update`` takes to give each job its problem, found by the value of its column ``key``."""
    return {
        column: Case(
            *(When(**{key: value}, then=Value(getattr(problem, column))) for value, problem in problems.items()),
            default=Value(""),
            output_field=TextField(),
        )
        for column in Problem._fields
    }

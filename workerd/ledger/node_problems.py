"""The jobs that this node cannot run, in its own row, and what all living nodes together say of a job.

Every ledger makes the same sentence of the same rows, so that several of different code do not write a job's problem
against each other: they agree on one that names the nodes.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from workerd.models import Node
from workerd.models.clock import DatabaseNow
from workerd.models.node import LATE

from .node import NodeRow
from .problems import Problem

MOST_CHARACTERS = 60_000
"""The length of all sentences of a node together; each is cut to its share."""
LONGEST = 1_000
NAMED_NODES = 3


class NodeProblems:
    """Publishes this node's problems, and joins them with those of the others."""

    def __init__(self, alias: str, node: NodeRow) -> None:
        self._alias = alias
        self._node = node
        self._mine: dict[int, Problem] = {}
        self._said: tuple[Mapping[int, Problem], Mapping[int, str]] = {}, {}
        self._text = "{}"

    def publish(self, problems: Mapping[int, Problem], declined: Mapping[int, str]) -> None:
        """Write what this node cannot run, where that has changed. Raises the database's errors.

        Neither argument is changed afterwards: what has changed comes as another object.
        """
        if problems is not self._said[0] or declined is not self._said[1]:
            self._said, self._text = (problems, declined), self._render(problems, declined)
        self._node.write_cannot(self._text)

    def _render(self, problems: Mapping[int, Problem], declined: Mapping[int, str]) -> str:
        limit = min(LONGEST, MOST_CHARACTERS // max(1, len(problems) + len(declined)))
        self._mine = {pk: _cut(problem, limit) for pk, problem in problems.items() if problem.problem}
        values: dict[int, dict[str, str]] = {pk: {"declined": reason[:limit]} for pk, reason in declined.items()}
        for pk, problem in self._mine.items():
            values[pk] = problem._asdict()
        return json.dumps(values, separators=(",", ":"), sort_keys=True)

    def agree(self, found: Mapping[int, Problem]) -> dict[int, Problem]:
        """Return what is to stand in the jobs' rows: what this node has found, unless living nodes differ."""
        others = self._others()
        return {pk: _join(problem, self._views(pk, others)) for pk, problem in found.items()}

    def _views(self, pk: int, others: Mapping[str, Mapping[str, Any]]) -> dict[str, Problem]:
        views = {label: _problem_in(cannot.get(str(pk))) for label, cannot in others.items()}
        return {**views, self._node.label: self._mine.get(pk, Problem())}

    def _others(self) -> dict[str, Mapping[str, Any]]:
        """Return by name what the other living nodes cannot run; a release without keys does not say it."""
        living = Node.objects.using(self._alias).filter(
            pulse__gt=DatabaseNow() - LATE, key__isnull=False, life__isnull=False
        )
        rows = living.exclude(pk=self._node.pk).values_list("name", "host", "cannot")
        return {f"{name}@{host}": _read(cannot) for name, host, cannot in rows}


def _join(mine: Problem, views: Mapping[str, Problem]) -> Problem:
    """Return one problem of what the nodes say: who has it stands in front, unless it is the same on all."""
    if len(set(views.values())) == 1:
        return mine
    nodes: dict[Problem, list[str]] = {}
    for label, problem in sorted(views.items()):
        if problem.problem:
            nodes.setdefault(problem, []).append(label)
    return Problem(
        "; ".join(f"on {_name(labels)}: {problem.problem}" for problem, labels in nodes.items()),
        "; ".join(f"on {_name(labels)}: {problem.public_problem}" for problem, labels in nodes.items()),
    )


def _name(labels: list[str]) -> str:
    more = len(labels) - NAMED_NODES
    return ", ".join(labels[:NAMED_NODES]) + (f" and {more} more" if more > 0 else "")


def _cut(problem: Problem, limit: int) -> Problem:
    return Problem(*(text if len(text) <= limit else f"{text[: limit - 1]}…" for text in problem))


def _problem_in(value: object) -> Problem:
    if not isinstance(value, dict):
        return Problem()
    return Problem(*_texts(value.get(field) for field in Problem._fields))


def _texts(values: Iterable[object]) -> Iterable[str]:
    return (value if isinstance(value, str) else "" for value in values)


def _read(text: str | None) -> Mapping[str, Any]:
    try:
        found = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}

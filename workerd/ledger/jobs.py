"""Which job rows have changed since the daemon was last told: one query a poll, compared value by value."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import Error
from django.db.models import TextField
from django.db.models.functions import Cast

from workerd.forksafe.db_errors import DatabaseFault, classify
from workerd.models import Job
from workerd.wire.messages import JobChanged, JobRefused, JobRemoved, JobsListed, Message
from workerd.wire.packets import MAX_PACKET_BYTES, WireError, encode
from workerd.wire.spec import JobSpec

from .problems import Problem, problem_columns
from .refusals import ascii_only
from .rows import COLUMNS, Row, Verdict, judge_row

_ID_AT = COLUMNS.index("id")
_SELECTED = tuple("kwargs_text" if name == "kwargs" else name for name in COLUMNS)


@dataclass(frozen=True, slots=True)
class _Known:
    """A row as it was last read, and what was found wrong with it."""

    row: Row
    verdict: Verdict

    @property
    def name(self) -> str:
        return self.verdict.spec.name


class JobRows:
    """Reads the job rows and says what changed; keeps ``Job.problem`` in step with what ledger and daemon found."""

    def __init__(self, alias: str, check_allowed: Callable[[str, str], None]) -> None:
        self._alias = alias
        self._check_allowed = check_allowed
        self._known: dict[int, _Known] = {}
        self._found_by_daemon: dict[str, Problem] = {}
        self._outdated: dict[int, Problem] = {}
        self._written: dict[int, Problem] = {}
        self._listed = False

    def note_problem(self, name: str, problem: Problem) -> None:
        """Remember what the daemon found wrong with a job, until the row is edited."""
        self._found_by_daemon[name] = problem

    def poll(self) -> list[Message]:
        """Return what to tell the daemon: the first time every row, then what changed. Raises the database's errors."""
        rows: dict[int, Row] = {}
        problems: dict[int, Problem] = {}
        for *values, problem, public_problem in self._fetch():
            rows[values[_ID_AT]] = tuple(values)
            problems[values[_ID_AT]] = Problem(problem, public_problem)
        messages = list(self._compare(rows))
        if messages or not self._listed:
            self._listed = True
            messages.append(JobsListed(len(rows)))
        wanted = {pk: self._problem_of(pk) for pk in rows}
        # What another ledger, of other code, has written over ours stays until the row or our judgement changes.
        self._outdated = {pk: text for pk, text in wanted.items() if text not in {problems[pk], self._written.get(pk)}}
        return messages

    def write_problems(self) -> None:
        """Correct each ``Job.problem`` that the last poll found outdated. Raises the database's errors."""
        if self._outdated:
            try:
                self._write(self._outdated)
            except Error as error:
                if classify(error) is not DatabaseFault.POISON:
                    raise
                self._write({pk: Problem(*map(ascii_only, problem)) for pk, problem in self._outdated.items()})
            self._written |= self._outdated
            self._outdated = {}

    def _write(self, problems: Mapping[int, Problem]) -> None:
        rows = Job.objects.using(self._alias).filter(pk__in=problems)
        rows.update(**problem_columns("pk", problems))

    def _fetch(self) -> list[tuple[Any, ...]]:
        """Read all rows; kwargs as text, so that one that is not JSON does not keep the others from being read."""
        query = Job.objects.using(self._alias).order_by().annotate(kwargs_text=Cast("kwargs", TextField()))
        return list(query.values_list(*_SELECTED, *Problem._fields))

    def _compare(self, rows: Mapping[int, Row]) -> Iterator[Message]:
        """Remember ``rows``; yield how they differ from the rows remembered before, removed ones first."""
        before = {known.name for known in self._known.values()}
        changed: list[_Known] = []
        for pk in self._known.keys() - rows.keys():
            del self._known[pk]
            self._written.pop(pk, None)
        for pk, row in rows.items():
            if pk not in self._known or self._known[pk].row != row:
                self._written.pop(pk, None)
                self._known[pk] = _Known(row, judge_row(row, self._check_allowed))
                changed.append(self._known[pk])
        for name in sorted(before - {known.name for known in self._known.values()}):
            self._found_by_daemon.pop(name, None)
            yield JobRemoved(name)
        for known in changed:
            self._found_by_daemon.pop(known.name, None)
            yield _message(known.verdict)

    def _problem_of(self, pk: int) -> Problem:
        known = self._known[pk]
        if problem := known.verdict.problem:
            return Problem(problem, problem)
        return self._found_by_daemon.get(known.name, Problem())


def _message(verdict: Verdict) -> Message:
    spec = verdict.spec.to_dict()
    message = JobRefused(spec, verdict.problem) if verdict.problem else JobChanged(spec)
    try:
        encode(message)
    except WireError:
        spec = JobSpec(name=verdict.spec.name, id=verdict.spec.id, enabled=verdict.spec.enabled).to_dict()
        return JobRefused(spec, f"The row takes more than {MAX_PACKET_BYTES} bytes: shorten its texts.")
    return message

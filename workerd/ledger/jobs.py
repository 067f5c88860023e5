"""The job rows that have changed since the daemon was last told, compared value by value."""

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

from django.db import Error

from workerd.forksafe.db_errors import DatabaseFault, classify
from workerd.models import Job
from workerd.wire.messages import JobChanged, JobRefused, JobRemoved, JobsListed, Message
from workerd.wire.packets import MAX_PACKET_BYTES, WireError, encode
from workerd.wire.spec import JobSpec

from .fleet_size import FleetSize
from .here import Here
from .job_reading import JobReading
from .problems import Problem
from .refusals import ascii_only
from .rows import COLUMNS, Row, Verdict, judge_row

WEIGH_SECONDS = 10.0
_ID_AT = COLUMNS.index("id")

NO_PROBLEM = Problem()

Agree = Callable[[Mapping[int, Problem]], dict[int, Problem]]


@dataclass(frozen=True, slots=True)
class _Known:
    """A row as it was last read, and what was found wrong with it."""

    row: Row
    verdict: Verdict

    @property
    def name(self) -> str:
        return self.verdict.spec.name

    @property
    def is_fleet(self) -> bool:
        return self.verdict.spec.is_fleet


@dataclass(frozen=True, slots=True)
class _Findings:
    """Keeps what follows from the rows and from what was found wrong with them, until one of both changes."""

    problems: dict[int, Problem]
    differing: dict[int, tuple[Problem, Problem]]
    """By the job's id: what was found, and what stands in the row."""
    fleet_jobs: tuple[JobSpec, ...]


class JobRows:
    """Reads the job rows and says what changed; keeps ``Job.problem`` in step with what ledger and daemon found."""

    def __init__(
        self,
        alias: str,
        check_allowed: Callable[[str, str], None],
        agree: Agree = dict[int, Problem],
        here: Here | None = None,
        size: FleetSize | None = None,
    ) -> None:
        """``agree`` returns what is to stand in the rows of jobs of which this ledger has found something."""
        self._alias = alias
        self._check_allowed = check_allowed
        self._agree = agree
        self._here = here or Here(alias)
        self._reading = JobReading(alias, size=size)
        self._known: dict[int, _Known] = {}
        self._fleet: list[_Known] = []
        self._is_taken = True
        """Whether the rows here are those that were read last."""
        self._untold: list[Message] = []
        self._findings: _Findings | None = None
        """None where they are to be found anew."""
        self._found_by_daemon: dict[str, Problem] = {}
        self._columns: dict[int, Problem] = {}
        self._weighed: dict[int, tuple[Problem, Problem]] = {}
        self._weigh_at = 0.0
        self._written: dict[int, Problem] = {}
        self._listed = False

    @property
    def weight(self) -> int:
        """The server's cost of one poll, in rows."""
        return self._reading.weight

    def note_problem(self, name: str, problem: Problem) -> None:
        """Remember what the daemon found wrong with a job, until the row is edited."""
        self._found_by_daemon[name] = problem
        self._findings = None

    def poll(self) -> list[Message]:
        """Return what to tell the daemon: the first time every row, then what changed. Raises the database's errors."""
        self._is_taken = not self._reading.look() and self._is_taken
        if not self._is_taken:
            self._take_rows()
        self._untold += self._look_at_fleet()
        messages, self._untold = self._untold, []
        if messages or not self._listed:
            self._listed = True
            messages.append(JobsListed(len(self._known)))
        return messages

    def fleet_jobs(self) -> tuple[JobSpec, ...]:
        """Return the fleet jobs that may run here, as far as ledger and daemon know."""
        return self._find().fleet_jobs

    def problems(self) -> Mapping[int, Problem]:
        """Return what this ledger and its daemon have found wrong, by the job's id; the same object while it holds."""
        return self._find().problems

    def write_problems(self) -> None:
        """Correct each ``Job.problem`` that the last poll found outdated. Raises the database's errors.

        Where several nodes differ, none of them finds in the column what it has found itself: the question is put
        again from time to time, as a node that differed may have gone.
        """
        differing = self._find().differing
        if not differing or (differing == self._weighed and time.monotonic() < self._weigh_at):
            return
        agreed = self._agree({pk: found for pk, (found, _column) in differing.items()})
        self._weighed, self._weigh_at = differing, time.monotonic() + WEIGH_SECONDS
        outdated: dict[int, Problem] = {}
        for pk, problem in agreed.items():
            if self._written.get(pk) != problem:
                self._written.pop(pk, None)
            # What a ledger of an older release has written over ours stays until something else changes.
            if problem != self._columns[pk] and pk not in self._written:
                outdated[pk] = problem
        if outdated:
            self._write_plainly(outdated)

    def _write_plainly(self, problems: Mapping[int, Problem]) -> None:
        try:
            written = self._write(problems)
        except Error as error:
            if classify(error) is not DatabaseFault.POISON:
                raise
            written = self._write({pk: Problem(*map(ascii_only, problem)) for pk, problem in problems.items()})
        for pk in written:
            self._written[pk] = problems[pk]
            self._columns[pk] = problems[pk]
            self._findings = None

    def _write(self, problems: Mapping[int, Problem]) -> Collection[int]:
        """Write the problems over what was read; return whose could be written, as none was changed meanwhile."""
        by_change: dict[tuple[Problem, Problem], list[int]] = {}
        for pk, problem in problems.items():
            by_change.setdefault((self._columns[pk], problem), []).append(pk)
        written: list[int] = []
        for (before, problem), keys in by_change.items():
            rows = Job.objects.using(self._alias).filter(pk__in=keys, **before._asdict())
            if rows.update(**problem._asdict()) == len(keys):
                written += keys
        return written

    def _take_rows(self) -> None:
        """Remember the rows, and what to tell of them: it is told later where the database fails meanwhile."""
        rows: dict[int, Row] = {}
        self._columns, self._findings = {}, None
        for *values, problem, public_problem in self._reading.rows():
            rows[values[_ID_AT]] = tuple(values)
            self._columns[values[_ID_AT]] = Problem(problem, public_problem)
        self._untold += self._compare(rows)
        self._fleet = [known for known in self._known.values() if known.is_fleet]
        self._is_taken = True

    def _find(self) -> _Findings:
        if self._findings is None:
            found = {pk: self._problem_of(pk) for pk in self._known}
            may_run = (known.verdict.spec for pk, known in self._known.items() if not found[pk].problem)
            self._findings = _Findings(
                {pk: problem for pk, problem in found.items() if problem.problem},
                {pk: (found[pk], column) for pk, column in self._columns.items() if found[pk] != column},
                tuple(spec for spec in may_run if spec.is_fleet and spec.enabled),
            )
        return self._findings

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
            yield _message(known.verdict, self._here)

    def _look_at_fleet(self) -> Iterator[Message]:
        """Yield every job of the fleet anew where the database can serve them now, or no longer."""
        if self._here.look(known.verdict.spec for known in self._fleet):
            self._findings = None
            yield from (_message(known.verdict, self._here) for known in self._fleet)

    def _problem_of(self, pk: int) -> Problem:
        known = self._known[pk]
        if problem := known.verdict.problem or self._here.refusal(known.verdict.spec):
            return Problem(problem, problem)
        return self._found_by_daemon.get(known.name, NO_PROBLEM)


def _message(verdict: Verdict, here: Here) -> Message:
    problem = verdict.problem or here.refusal(verdict.spec)
    misfit = "" if problem else here.misfit(verdict.spec)
    spec = verdict.spec._replace(processes=0 if misfit else verdict.spec.processes).to_dict()
    message = JobRefused(spec, problem) if problem else JobChanged(spec, misfit)
    try:
        encode(message)
    except WireError:
        spec = JobSpec(name=verdict.spec.name, id=verdict.spec.id, enabled=verdict.spec.enabled).to_dict()
        return JobRefused(spec, f"The row takes more than {MAX_PACKET_BYTES} bytes: shorten its texts.")
    return message

"""The plan of a sync: what it does with a new job, with each field of one that has a row, with one that is gone.

Pure: rows are plain values here.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

from workerd.definitions.definition import Definition
from workerd.job_rules.written import default_of, filled

from .choices import Choices
from .rules import ABSENT, OPEN, WAS_OFF, Gone, Kind, Sides, Verdict, judge, judge_gone, same

GIVEN_KEY = "$given"
"""Beside the fields in ``Job.synced``: the values of the row that were accepted. No field has this name."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row as it is stored; ``source`` is "" where it was made in the admin."""

    name: str
    source: str
    values: Mapping[str, Any]
    synced: Mapping[str, Any] = field(default_factory=dict)


class Deed(Enum):
    """A job's standing in this sync."""

    NEW = "new"
    KNOWN = "known"
    GONE = "gone"
    ADMINS = "admin's"
    """A row of this name was made in the admin."""
    FOREIGN = "foreign"
    """A row of this name comes from the definitions of another service, or of this one under an earlier name."""


@dataclass(frozen=True, slots=True)
class JobPlan:
    """The plan for one job; ``before`` and ``after`` hold every field of its row, None where there is none."""

    name: str
    deed: Deed
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    source: str = ""
    synced: Mapping[str, Any] | None = None
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)
    gone: Gone | None = None
    is_taken_over: bool = False
    is_written: bool = False
    """Whether the database changes, be it only in what sync keeps for itself."""

    @property
    def is_open(self) -> bool:
        """Whether somebody has to decide something."""
        return (
            self.deed in (Deed.ADMINS, Deed.FOREIGN)
            or self.gone is Gone.DRIFT
            or any(verdict.kind in OPEN for verdict in self.verdicts.values())
        )

    @property
    def written(self) -> frozenset[str]:
        """The fields of a row that get another value."""
        if self.before is None or self.after is None:
            return frozenset()
        return frozenset(name for name, value in self.after.items() if not same(value, self.before[name]))


def owned_values(definition: Definition) -> dict[str, Any]:
    """Return the fields that the code owns: who says what a job runs says, too, that it runs nothing else."""
    values = dict(definition.values)
    for said, other in (("target", "command"), ("command", "target")):
        if values.get(said):
            values.setdefault(other, "")
    return values


def owned_fields(definitions: Mapping[str, Definition], rows: Mapping[str, Row], source: str) -> dict[str, set[str]]:
    """Return for each job what the code says or has said of it, which is what an operator may choose."""
    fields = {name: set(owned_values(definition)) for name, definition in definitions.items()}
    for name, row in rows.items():
        if source and row.source == source:
            fields.setdefault(name, {"enabled"}).update(row.synced.keys() - {GIVEN_KEY})
    return fields


def make_plan(
    definitions: Mapping[str, Definition], rows: Mapping[str, Row], source: str, choices: Choices
) -> list[JobPlan]:
    """Return a plan for each job of the definitions and of the rows that come from ``source``, by name.

    Without a source nothing is kept of what was written, and no row counts as gone.
    """
    gone = {name for name, row in rows.items() if source and row.source == source} - definitions.keys()
    plans = [_plan_gone(rows[name], choices) for name in gone]
    for name, definition in definitions.items():
        row = rows.get(name)
        if row is None:
            plans.append(_plan_new(definition, source, choices))
        elif row.source == source or name in choices.adopt:
            plans.append(_plan_known(definition, row, source, choices))
        elif not source and _says_so(row, definition):
            plans.append(JobPlan(name, Deed.KNOWN, row.values, row.values, row.source))
        else:
            deed = Deed.FOREIGN if row.source else Deed.ADMINS
            plans.append(JobPlan(name, deed, row.values, row.values, source=row.source))
    return sorted(plans, key=lambda plan: plan.name)


def _says_so(row: Row, definition: Definition) -> bool:
    return all(same(row.values[name], value) for name, value in owned_values(definition).items())


def _plan_new(definition: Definition, source: str, choices: Choices) -> JobPlan:
    values = owned_values(definition)
    after, synced = filled(values), dict(values)
    if choices.create_disabled and after["enabled"]:
        after["enabled"] = False
        synced[GIVEN_KEY] = {"enabled": False}
    return JobPlan(definition.name, Deed.NEW, None, after, source, synced if source else None, is_written=True)


def _plan_known(definition: Definition, row: Row, source: str, choices: Choices) -> JobPlan:
    values = owned_values(definition)
    synced = dict(row.synced)
    given: Mapping[str, Any] = synced.pop(GIVEN_KEY, {})
    if synced.get("enabled", ABSENT) is WAS_OFF:
        del synced["enabled"]
    sides = {
        name: Sides(
            values.get(name, ABSENT),
            stored,
            synced.get(name, ABSENT),
            default_of(name, row.values),
            given.get(name, ABSENT),
        )
        for name, stored in row.values.items()
    }
    verdicts = {name: judge(known, choices.of(row.name, name)) for name, known in sides.items()}
    after = _after(row, verdicts)
    for name in _with_another_default(row.values, after):
        known = replace(sides[name], default=default_of(name, after), former_default=sides[name].default)
        verdicts[name] = judge(known, choices.of(row.name, name))
    after = _after(row, verdicts)
    kept = _kept(verdicts) if source else None
    is_written = kept != (row.synced if source else None) or any(
        verdict.kind is Kind.WRITTEN for verdict in verdicts.values()
    )
    is_taken_over = row.source != source
    return JobPlan(
        row.name,
        Deed.KNOWN,
        row.values,
        after,
        source,
        kept,
        verdicts,
        is_taken_over=is_taken_over,
        is_written=is_taken_over or is_written,
    )


def _after(row: Row, verdicts: Mapping[str, Verdict]) -> dict[str, Any]:
    return {**row.values, **{name: verdict.wanted for name, verdict in _of_kind(verdicts, Kind.WRITTEN)}}


def _with_another_default(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    return [name for name in before if default_of(name, before) != default_of(name, after)]


def _of_kind(verdicts: Mapping[str, Verdict], kind: Kind) -> Iterator[tuple[str, Verdict]]:
    return ((name, verdict) for name, verdict in verdicts.items() if verdict.kind is kind)


def _kept(verdicts: Mapping[str, Verdict]) -> dict[str, Any]:
    """Return what the row's ``synced`` is to hold."""
    kept = {name: verdict.synced for name, verdict in verdicts.items() if verdict.synced is not ABSENT}
    given = {name: verdict.given for name, verdict in verdicts.items() if verdict.given is not ABSENT}
    return {**kept, GIVEN_KEY: given} if given else kept


def _plan_gone(row: Row, choices: Choices) -> JobPlan:
    choice = choices.of(row.name, "enabled")
    gone = judge_gone(
        enabled=bool(row.values["enabled"]),
        synced=row.synced.get("enabled", ABSENT),
        choice=choice,
        prune=choices.prune,
    )
    source, after, synced = row.source, dict(row.values), dict(row.synced)
    if gone is Gone.SWITCHED_OFF:
        after["enabled"] = synced["enabled"] = False
    elif gone is Gone.NOTED:
        synced["enabled"] = WAS_OFF
    is_written = gone not in (Gone.OFF, Gone.DRIFT)
    if gone is Gone.HANDED_OVER:
        return JobPlan(row.name, Deed.GONE, row.values, after, "", None, gone=gone, is_written=True)
    return JobPlan(
        row.name,
        Deed.GONE,
        row.values,
        None if gone is Gone.DELETED else after,
        source,
        synced,
        gone=gone,
        is_written=is_written,
    )

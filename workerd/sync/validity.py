"""Checks that a row could run before sync writes it: the code's values together with the admin's.

The project's jobs are known by now: whoever reads definitions loads them.
"""

from collections.abc import Iterable, Iterator, Mapping

from workerd.definitions.definition import Definition
from workerd.job_rules import start_order
from workerd.job_rules.start_order import Place
from workerd.job_rules.written import filled, find_written_faults
from workerd.targets import RowError, resolve
from workerd.wire.spec import JobSpec

from .plan import Deed, JobPlan, Row, owned_values
from .rules import same

PROGRAM = ("target", "command", "kwargs", "environment")
ORDER = ("schedule", "starts_after")


def find_faults(plan: JobPlan, definition: Definition | None) -> Iterator[str]:
    """Yield a sentence for each thing that is wrong with the row as it would be.

    One that is as its definition has been judged with that. A row that is off may be kept though it could not run, as
    in the admin.
    """
    if plan.after is None or plan.deed is not Deed.KNOWN or not (written := plan.written):
        return
    if definition is None or same(plan.after, filled(owned_values(definition))):
        return
    faults = [fault.sentence for fault in find_written_faults(plan.name, plan.after)]
    if not faults and (plan.after["enabled"] or not written.isdisjoint(PROGRAM)):
        spec = JobSpec(plan.name, **{name: value for name, value in plan.after.items() if name != "notes"})
        faults = _program_faults(spec)
    yield from (
        f"{definition.place}: the row “{plan.name}” would be wrong: {sentence}" for sentence in dict.fromkeys(faults)
    )


def find_order_faults(
    plans: Iterable[JobPlan], rows: Mapping[str, Row], definitions: Mapping[str, Definition]
) -> Iterator[str]:
    """Yield a sentence for each written job whose order of start could not be kept beside all rows as they would be."""
    written = [plan for plan in plans if plan.is_written and plan.after is not None]
    values = {name: row.values for name, row in rows.items()} | {plan.name: plan.after for plan in written}
    places = {name: Place.of(row["schedule"], row["starts_after"]) for name, row in values.items() if row is not None}
    for plan in written:
        if plan.before is not None and plan.written.isdisjoint(ORDER):
            continue
        faults = start_order.find_order_faults(plan.name, places)
        if fault := start_order.find_followers_fault(plan.name, places):
            faults.append(fault)
        place = definitions[plan.name].place if plan.name in definitions else plan.source
        yield from (f"{place}: the job “{plan.name}”: {sentence}" for sentence in faults)


def _program_faults(spec: JobSpec) -> list[str]:
    try:
        resolve(spec)
    except RowError as error:
        return [fault.sentence for fault in error.faults]
    return []

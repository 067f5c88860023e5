"""The part of ``check`` for the order in which jobs start, which no job can tell by itself."""

from collections.abc import Iterator

from workerd.definitions.declared import Declared
from workerd.definitions.start_order import places_of
from workerd.job_rules.start_order import Place, find_order_faults, find_unknown_names

from .refused_jobs import read_jobs


def find_order_problems(alias: str, declared: Declared | None = None) -> Iterator[tuple[str, str]]:
    """Yield a level and a text for each job that would not wait for one that it names.

    With the jobs that the code defines, a name of no job is an error, and theirs count.
    """
    rows = read_jobs(alias)
    places = {str(row["name"]): Place.of(row.get("schedule"), row.get("starts_after")) for row in rows}
    defined = places_of(declared.definitions) if declared else {}
    known = {**defined, **places}
    for row in rows:
        name = str(row["name"])
        level = "error" if row["enabled"] else "warning"
        for fault in find_order_faults(name, known):
            yield level, f"The job “{name}” cannot keep its order of start: {fault}"
        for fault in find_unknown_names(name, known):
            lost = level if declared and declared.is_whole else "warning"
            yield lost, f"The job “{name}” starts without waiting: {fault}"
    if declared and declared.is_whole:  # else the name may be that of a definition that could not be read
        yield from _of_definitions(declared, {**places, **defined})


def _of_definitions(declared: Declared, places: dict[str, Place]) -> Iterator[tuple[str, str]]:
    """Yield what the rows beside them have the definitions do, but for what they tell by themselves."""
    told = {str(fault) for fault in declared.faults}
    for name, definition in declared.definitions.items():
        for fault in (*find_order_faults(name, places), *find_unknown_names(name, places)):
            text = f"{definition.place}: the job “{name}”: {fault}"
            if text not in told:
                yield "error", text

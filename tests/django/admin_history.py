"""A long history of runs, unevenly spread, written by the database itself: a million in seconds, everywhere the same.

The first job has three fifths of all runs and most of them in one slot; half of them all are of the last quarter.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from django.core.management.color import no_style
from django.db import connection
from django.db.models import Field

from workerd.models import Job, Node, Run
from workerd.wire.words import Outcome

from .many_jobs import FIRST_NAME

TABLE = Run._meta.db_table
MOST = 1_000_000
STRETCH = 30 * 86400 / 1000003**2
"""From squared dice to seconds of thirty days."""

# n * factor % prime falls like a die, on every database alike; a product stays within 32 bits up to a million.
NUMBERED = """
    WITH RECURSIVE thousand (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM thousand WHERE n < 999)
    SELECT {values} FROM (
        SELECT n,
            CASE WHEN n * 1237 % 10007 < 6004 THEN 0 ELSE n * 1811 % 999983 % {jobs} END AS number,
            CASE WHEN n * 1429 % 10009 < 9508 THEN 0 ELSE 1 END AS place,
            POWER(n * 1999 % 1000003, 2) * {stretch} AS ago
        FROM (SELECT a.n * 1000 + b.n AS n FROM thousand a CROSS JOIN thousand b ORDER BY 1 LIMIT {runs}) ordered
    ) spread
"""
AGO = {
    "postgresql": "TIMESTAMPTZ '{now}+00' - {seconds} * INTERVAL '1 second'",
    "mysql": "TIMESTAMP '{now}' - INTERVAL {seconds} SECOND",
    "sqlite": "STRFTIME('%Y-%m-%d %H:%M:%f', '{now}', '-' || {seconds} || ' seconds')",
}


def add_history(runs: int) -> None:
    """Give every job its share of the runs, and have the database look at how they are spread."""
    jobs = list(Job.objects.order_by("pk").values_list("pk", flat=True))
    assert jobs == list(range(jobs[0], jobs[0] + len(jobs)))  # what _values goes by
    assert runs <= MOST
    values = {field.column: _default(field) for field in Run._meta.concrete_fields} | _values(jobs[0])
    columns = ", ".join(connection.ops.quote_name(column) for column in values if column)
    rows = NUMBERED.format(values=", ".join(values.values()), jobs=len(jobs), runs=runs, stretch=STRETCH)
    with _without_indexes(), connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {TABLE} ({columns}) {rows}")
    _analyze()


def remove_history() -> None:
    """Empty the table at once, as a transactional test's end would do row by row, for minutes, on MariaDB."""
    connection.ops.execute_sql_flush(connection.ops.sql_flush(no_style(), [TABLE], reset_sequences=True))


def _values(first: int) -> dict[str, str]:
    """Return what differs from run to run; ids ascend, as a key that is not in order costs the most."""
    identity = "LPAD(CAST(n AS CHAR(6)), 32, '0')"
    is_native = connection.features.has_native_uuid_field
    name = f"REPLACE('job-*', '*', CAST(number + {FIRST_NAME} AS CHAR(4)))"
    outcomes = " ".join(f"WHEN {number} THEN '{outcome}'" for number, outcome in enumerate(Outcome))
    outcome = f"CASE n * 1013 % 999979 % CASE WHEN number = 0 THEN 4 ELSE {len(Outcome)} END {outcomes} END"
    is_error = f"{outcome} = '{Outcome.ERROR}'"
    return {
        "id": f"CAST({identity} AS UUID)" if is_native else identity,
        "job_id": f"number + {first}",
        "job_name": name,
        "node_id": str(Node.objects.get().pk),
        "node_name": "'shop@web1'",
        "slot": f"REPLACE(CASE place WHEN 0 THEN '*:0' ELSE '*:1' END, '*', {name})",
        "index": "place",
        "born": _moment("ago"),
        "ended": _moment("(ago * 0.9999)"),
        "outcome": outcome,
        "exception": f"CASE WHEN {is_error} THEN 'ValueError: no' ELSE '' END",
        "traceback": f"CASE WHEN {is_error} THEN 'Traceback' ELSE '' END",
    }


def _moment(seconds: str) -> str:
    now = datetime.now(UTC).replace(tzinfo=None).isoformat(" ", "seconds")
    return AGO[connection.vendor].format(now=now, seconds=seconds)


def _default(field: "Field[Any, Any]") -> str:
    default = None if field.null else field.get_default()
    return "NULL" if default is None else str(default) if isinstance(default, int) else f"'{default}'"


@contextmanager
def _without_indexes() -> Iterator[None]:
    """Building an index over all rows takes a tenth of the time that keeping it through a million inserts takes."""
    with connection.schema_editor() as editor:
        for index in Run._meta.indexes:
            editor.remove_index(Run, index)
    try:
        yield
    finally:
        with connection.schema_editor() as editor:
            for index in Run._meta.indexes:
                editor.add_index(Run, index)


def _analyze() -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"ANALYZE TABLE {TABLE}" if connection.vendor == "mysql" else f"ANALYZE {TABLE}")
        cursor.fetchall() if connection.vendor == "mysql" else None

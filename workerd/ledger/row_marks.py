"""A cheap question about the job rows, whose answer is another one whenever one of them has changed.

A hash that the server makes of the rows costs it more than to send them; these questions read no value of a row.
Whoever writes the rows, by ``save``, by ``update`` or by plain SQL, changes the answer.
"""

from typing import Any

from django.db import connections

from workerd.models import Job

Mark = tuple[Any, ...]


def ask(alias: str) -> Mark | None:
    """Return the mark of the rows as they are now; None where the database has none, or none that can be trusted.

    The session is part of it: another one may be at another server. Raises the database's errors.
    """
    connection = connections[alias]
    question = _QUESTIONS.get(connection.vendor)
    if question is None or connection.in_atomic_block:  # within one transaction a row may change twice under one mark
        return None
    with connection.cursor() as cursor:
        cursor.execute(question)
        answer = cursor.fetchone()
    if connection.vendor == "sqlite":  # its data_version tells of the commits of others alone
        return (connection.connection, *answer, connection.connection.total_changes)
    return (connection.connection, *answer)


def version_of(alias: str) -> str | None:
    """Return the SQL for what of a row is another whole number after each change; None where the database has none."""
    return _VERSIONS.get(connections[alias].vendor)


def read_versions(alias: str) -> dict[int, int]:
    """Return the version of each row by its key. Raises the database's errors."""
    with connections[alias].cursor() as cursor:
        cursor.execute(f"SELECT id, {version_of(alias)} FROM {_TABLE}")  # noqa: S608 - constants
        return dict(cursor.fetchall())


_TABLE = Job._meta.db_table
_QUESTIONS = {
    # A change gives the row the number of a newer transaction, so the sum grows, or rows are fewer. Within a statement
    # every age counts from the same transaction; it costs a third of what it costs to make a number of xmin itself.
    "postgresql": f"SELECT COUNT(*), COUNT(*) * age('3'::xid)::bigint - SUM(age(xmin)) FROM {_TABLE}",  # noqa: S608
    # The server itself sets the column, which has an index of its own, at each change of a row.
    "mysql": f"SELECT COUNT(*), SUM(UNIX_TIMESTAMP(changed_at)) FROM {_TABLE}",  # noqa: S608
    "sqlite": "PRAGMA data_version",
}
_VERSIONS = {
    "postgresql": "xmin::text::bigint",
    "mysql": "CAST(UNIX_TIMESTAMP(changed_at) * 1000000 AS SIGNED)",
}

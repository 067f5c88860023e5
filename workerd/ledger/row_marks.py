"""A cheap question about the job rows, whose answer is another one whenever one of them has changed.

A hash that the server makes of the rows costs it more than to send them; these questions read no value of a row.
Whoever writes the rows, by ``save``, by ``update`` or by plain SQL, changes the answer.
"""

from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from workerd.models import Job

Mark = tuple[Any, ...]
SETTLED_S = 2
"""MariaDB tells the second of the last change: an answer that is not older may hide a further change."""


def ask(alias: str) -> Mark | None:
    """Return the mark of the rows as they are now; None where the database has none, or none that can be trusted.

    The session is part of it: another one may be at another server. Raises the database's errors.
    """
    connection = connections[alias]
    question = _question(connection)
    if question is None or connection.in_atomic_block:  # within one transaction a row may change twice under one mark
        return None
    with connection.cursor() as cursor:
        cursor.execute(question)
        answer = cursor.fetchone()
    if answer is None:  # of MariaDB, where the table is not there, or has just been made
        return None
    if connection.vendor == "sqlite":  # its data_version tells of the commits of others alone
        return (connection.connection, *answer, connection.connection.total_changes)
    if connection.vendor == "mysql":
        changed, age = answer
        return None if age is not None and abs(age) <= SETTLED_S else (connection.connection, changed)
    return (connection.connection, *answer)


def has_question(alias: str) -> bool:
    """Return whether the database has one."""
    return _question(connections[alias]) is not None


def _question(connection: BaseDatabaseWrapper) -> str | None:
    """MySQL has none, as it keeps for a day what it once told of a table; MariaDB asks the table."""
    is_mariadb = connection.vendor == "mysql" and connection.mysql_is_mariadb  # type: ignore[attr-defined]
    return _QUESTIONS.get("mariadb" if is_mariadb else connection.vendor)


_TABLE = Job._meta.db_table
_QUESTIONS = {
    # A change gives the row the number of a newer transaction, so the sum grows, or rows are fewer. Within a statement
    # every age counts from the same transaction; it costs a third of what it costs to make a number of xmin itself.
    "postgresql": (
        f"SELECT COUNT(*), COUNT(*) * age('3'::xid)::bigint - SUM(age(xmin)) FROM \"{_TABLE}\""  # noqa: S608 - a constant
    ),
    "mariadb": (
        "SELECT update_time, TIMESTAMPDIFF(SECOND, update_time, NOW()) FROM information_schema.tables"  # noqa: S608
        f" WHERE table_schema = DATABASE() AND table_name = '{_TABLE}'"
    ),
    "sqlite": "PRAGMA data_version",
}

"""Has MySQL and MariaDB keep the moment of each job row's last change; the column is workerd's question's alone.

PostgreSQL keeps the transaction of every row, and SQLite a number of the file. Neither server tells here what would do
instead: its time of a table's last change is the second in which a transaction began, and TRUNCATE leaves it alone.
"""

from typing import Any

from django.db import migrations

TABLE, COLUMN, INDEX = "workerd_job", "changed_at", "workerd_job_changed_at"
ADD = (
    f"ALTER TABLE {TABLE} ADD COLUMN {COLUMN} TIMESTAMP(6) NOT NULL"
    f" DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6), ADD INDEX {INDEX} ({COLUMN})"
)
DROP = f"ALTER TABLE {TABLE} DROP INDEX {INDEX}, DROP COLUMN {COLUMN}"


def add(_apps: Any, schema_editor: Any) -> None:
    """Add the column where it is to be and is not, as after a migration that was cut short."""
    if schema_editor.connection.vendor == "mysql" and not _has_column(schema_editor.connection):
        schema_editor.execute(ADD)


def drop(_apps: Any, schema_editor: Any) -> None:
    """Drop the column where it is."""
    if schema_editor.connection.vendor == "mysql" and _has_column(schema_editor.connection):
        schema_editor.execute(DROP)


def _has_column(connection: Any) -> bool:
    with connection.cursor() as cursor:
        return COLUMN in {column.name for column in connection.introspection.get_table_description(cursor, TABLE)}


class Migration(migrations.Migration):
    dependencies = [
        ("workerd", "0014_alert"),
    ]

    operations = [migrations.RunPython(add, drop, atomic=False)]  # MySQL cannot undo a change of a table

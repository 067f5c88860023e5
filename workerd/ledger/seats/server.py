"""The identity of the database's server, in SQL: a window of looks is one server's, as another may have forgotten."""

from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import CharField, Func


class Server(Func):
    """Tells the server that runs the query from another one, and from itself before a restart or a promotion."""

    template = "''"
    output_field = CharField()

    def as_postgresql(self, compiler: Any, connection: BaseDatabaseWrapper, **extra: Any) -> Any:
        # In a query of its own it is asked once for all rows that the statement reads.
        template = "(SELECT EXTRACT(EPOCH FROM pg_postmaster_start_time())::text || pg_is_in_recovery()::text)"
        return self.as_sql(compiler, connection, template=template, **extra)

    def as_mysql(self, compiler: Any, connection: BaseDatabaseWrapper, **extra: Any) -> Any:
        # Both moments are the server's own, so that a step of its clock changes nothing of their difference.
        table = "information_schema" if connection.mysql_is_mariadb else "performance_schema"  # type: ignore[attr-defined]
        uptime = f"(SELECT VARIABLE_VALUE FROM {table}.global_status WHERE VARIABLE_NAME = 'UPTIME')"  # noqa: S608
        start = f"CAST(UNIX_TIMESTAMP() - {uptime} AS SIGNED)"
        template = f"CONCAT_WS(' ', @@hostname, @@server_id, @@read_only, {start})"
        return self.as_sql(compiler, connection, template=template, **extra)

"""The database's clock, in SQL that means the same whatever the server's, the session's and the project's time zone."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connections, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone


class DatabaseNow(models.Func):
    """The time of the server that runs the query, as Django stores moments there.

    Django's own ``Now()`` is the session's local time on MySQL, and UTC on SQLite also where USE_TZ is off.
    """

    template = "STATEMENT_TIMESTAMP()"  # PostgreSQL's knows its zone
    output_field = models.DateTimeField()

    def as_mysql(self, compiler: Any, connection: BaseDatabaseWrapper, **extra: Any) -> Any:
        shift = stored_offset(connection).total_seconds()
        return self.as_sql(compiler, connection, template=f"(UTC_TIMESTAMP(6) + INTERVAL {shift:.0f} SECOND)", **extra)

    def as_sqlite(self, compiler: Any, connection: BaseDatabaseWrapper, **extra: Any) -> Any:
        shift = stored_offset(connection).total_seconds()
        # doubled twice: for the template, and for the query's own parameters
        template = f"STRFTIME('%%%%Y-%%%%m-%%%%d %%%%H:%%%%M:%%%%f', 'now', '{shift:+.0f} seconds')"
        return self.as_sql(compiler, connection, template=template, **extra)


def stored_offset(connection: BaseDatabaseWrapper) -> timedelta:
    """Return how far the moments that Django stores are ahead of UTC, where a column does not know its zone."""
    zone = connection.timezone if settings.USE_TZ else timezone.get_default_timezone()
    return datetime.now(UTC).astimezone(zone).utcoffset() or timedelta()


def read_seconds(alias: str) -> float:
    """Return the database's time in seconds since 1970."""
    with connections[alias].cursor() as cursor:
        cursor.execute(_ASK[connections[alias].vendor])
        (answer,) = cursor.fetchone()
    return float(answer)


def read_now(alias: str) -> datetime:
    """Return the database's time, as the project has its moments."""
    moment = datetime.fromtimestamp(read_seconds(alias), UTC)
    return moment if settings.USE_TZ else timezone.make_naive(moment)


def between(earlier: datetime, later: datetime) -> timedelta:
    """Return the time between two moments, also over a change of the clocks."""
    return as_utc(later) - as_utc(earlier)


def as_utc(moment: datetime) -> datetime:
    """Return a moment of the project's, which has no zone where USE_TZ is off, in UTC."""
    return (timezone.make_aware(moment) if timezone.is_naive(moment) else moment).astimezone(UTC)


_ASK = {
    "postgresql": "SELECT EXTRACT(EPOCH FROM STATEMENT_TIMESTAMP())",
    "mysql": "SELECT TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)) / 1e6",
    "sqlite": "SELECT (JULIANDAY('now') - 2440587.5) * 86400.0",
}
"""The server's seconds since 1970."""

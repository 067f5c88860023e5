"""System checks of connection settings and server limits that do not fit many forked processes.

The checks that query a server run only for the aliases that ``check --database`` names, as Django's own do.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from django.apps import AppConfig, apps
from django.conf import settings
from django.core.checks import CheckMessage, Tags, register
from django.core.checks import Warning as CheckWarning
from django.db import DatabaseError, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from workerd.conf import get_settings

POOL = "workerd.W103"
NO_AUTOCOMMIT = "workerd.W104"
WAIT_TIMEOUT = "workerd.W105"
TOO_FEW_SESSIONS = "workerd.W106"
POOL_MIN_SIZE = 4
"""The default of psycopg_pool for min_size and for max_size."""


@register("workerd")
def check_connections(
    app_configs: Sequence[AppConfig] | None = None,  # noqa: ARG001 - checks are called by name
    **_kwargs: Any,
) -> list[CheckMessage]:
    """Report connection settings that do not fit processes with one thread each."""
    messages: list[CheckMessage] = []
    for alias, database in settings.DATABASES.items():
        if database.get("OPTIONS", {}).get("pool"):
            messages.append(_pool_message(alias, database["OPTIONS"]["pool"]))
        if database.get("AUTOCOMMIT", True) is False:
            messages.append(_autocommit_message(alias))
    return messages


@register(Tags.database)
def check_servers(
    app_configs: Sequence[AppConfig] | None = None,  # noqa: ARG001 - checks are called by name
    databases: Sequence[str] | None = None,
    **_kwargs: Any,
) -> list[CheckMessage]:
    """Report servers whose limits are too low for the enabled jobs."""
    messages: list[CheckMessage] = []
    for alias in databases or ():
        try:
            messages += _server_messages(connections[alias])
        except DatabaseError:  # unreachable or not migrated: the daemon reports that, and waits for it
            continue
    return messages


def _pool_message(alias: str, pool: Any) -> CheckMessage:
    smallest, largest = _pool_sizes(pool)
    return CheckWarning(
        f"The database “{alias}” has a connection pool, and every process has a pool of its own: "
        f"each slot takes {smallest} to {largest} sessions, where a job with one thread uses one.",
        hint=f'Leave OPTIONS["pool"] out of DATABASES["{alias}"] for workerd: a process keeps its connection anyway.',
        id=POOL,
    )


def _autocommit_message(alias: str) -> CheckMessage:
    return CheckWarning(
        f"The database “{alias}” has AUTOCOMMIT off: each query leaves a transaction open, "
        "and workerd does not fork while one is open.",
        hint=f'Leave AUTOCOMMIT out of DATABASES["{alias}"] and use atomic().',
        id=NO_AUTOCOMMIT,
    )


def _server_messages(connection: BaseDatabaseWrapper) -> Iterator[CheckMessage]:
    if connection.vendor == "mysql" and (message := _wait_timeout_message(connection)):
        yield message
    if connection.vendor in _LIMITS and (message := _limit_message(connection)):
        yield message


def _wait_timeout_message(connection: BaseDatabaseWrapper) -> CheckMessage | None:
    timeout, longest = int(_ask(connection, "SELECT @@global.wait_timeout")), _longest_wait()
    if longest is not None and timeout >= longest:
        return None
    kept = "without limit" if longest is None else f"for up to {longest:g} s"
    return CheckWarning(
        f"The server of “{connection.alias}” ends a session that is idle for {timeout} s (wait_timeout), "
        f"and the processes of jobs keep an idle one {kept}.",
        hint='Raise wait_timeout, or set WORKERD["CONN_MAX_AGE"] and the jobs\' heartbeat_timeout below it.',
        id=WAIT_TIMEOUT,
    )


def _longest_wait() -> float | None:
    """Return for how many seconds a process may leave a session idle, by settings and rows; None is without limit."""
    age = get_settings().conn_max_age
    return None if age is None else max([age, *(job.heartbeat_timeout or 0.0 for job in _enabled_jobs())])


_LIMITS = {
    "postgresql": (
        "SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int"
    ),
    "mysql": "SELECT @@global.max_connections",
}


def _limit_message(connection: BaseDatabaseWrapper) -> CheckMessage | None:
    limit, slots = int(_ask(connection, _LIMITS[connection.vendor])), sum(job.processes for job in _enabled_jobs())
    _, each = _pool_sizes(connection.settings_dict["OPTIONS"].get("pool"))
    needed = slots * each + 1
    if needed <= limit:
        return None
    return CheckWarning(
        f"The server of “{connection.alias}” accepts {limit} sessions; the enabled jobs need up to {needed}: "
        f"{slots} slots × {each}, and one for the ledger.",
        hint="Raise max_connections, or run fewer processes.",
        id=TOO_FEW_SESSIONS,
    )


def _pool_sizes(pool: Any) -> tuple[int, int]:
    """Return the smallest and the largest number of sessions that one process opens."""
    if not pool:
        return 1, 1
    options = pool if isinstance(pool, dict) else {}
    smallest = int(options.get("min_size", POOL_MIN_SIZE))
    return smallest, max(smallest, int(options.get("max_size") or smallest))


def _enabled_jobs() -> list[Any]:
    """Return the rows from the database that workerd itself uses, whatever a router says."""
    if not apps.is_installed("workerd"):
        return []
    model: Any = apps.get_model("workerd", "Job")
    return list(model._base_manager.using(get_settings().database).filter(enabled=True))


def _ask(connection: BaseDatabaseWrapper, query: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchone()[0]

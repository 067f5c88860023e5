"""Tells what a session has that a new one would not: locks, LISTEN, cursors, temporary tables, own settings."""

import re
from collections.abc import Callable
from typing import Any

from django.db import DatabaseError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from . import sessions

_ASK_POSTGRES = """
SELECT concat_ws(', ',
  CASE WHEN EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid())
    THEN 'advisory locks' END,
  CASE WHEN EXISTS (SELECT 1 FROM pg_listening_channels()) THEN 'LISTEN' END,
  CASE WHEN EXISTS (SELECT 1 FROM pg_cursors WHERE name <> '') THEN 'open cursors' END,
  CASE WHEN EXISTS (SELECT 1 FROM pg_class WHERE relnamespace = pg_my_temp_schema()) THEN 'temporary tables' END,
  CASE WHEN EXISTS (SELECT 1 FROM pg_settings WHERE source = 'session' AND name NOT IN
    ('TimeZone', 'client_encoding', 'default_transaction_isolation', 'application_name', 'role'))
    THEN 'settings of the session' END)
"""
# MySQL and MariaDB tell only administrators: so the statements themselves are looked at.
_SAID = (
    (re.compile(r"\bGET_LOCK\s*\(", re.IGNORECASE), "named locks"),
    (re.compile(r"\s*LOCK\s+TABLES?\b", re.IGNORECASE), "locked tables"),
    (re.compile(r"\s*CREATE\s+(OR\s+REPLACE\s+)?TEMPORARY\b", re.IGNORECASE), "temporary tables"),
    (re.compile(r"\s*SET\s+(SESSION\b|@)", re.IGNORECASE), "settings of the session"),
)
_READ_CHARACTERS = 2000
_is_watching = False


def keep_session(alias: str = "default") -> None:
    """Never renew this thread's present session with a database for its age; it is still replaced where it is dead.

    For a job that holds what a new session would not have: a lock of the session, LISTEN, temporary tables.
    """
    wrapper = connections[alias]
    wrapper.ensure_connection()
    (sessions.session_of(wrapper) or sessions.add(wrapper)).kept = "keep_session()"


def state_of(wrapper: BaseDatabaseWrapper) -> str:
    """Return what would be lost with the session, in words; "" for nothing that can be known. Asks PostgreSQL."""
    session = sessions.session_of(wrapper)
    if session is not None and session.kept:
        return session.kept
    if wrapper.vendor != "postgresql":
        return ""
    try:
        with wrapper.cursor() as cursor:
            cursor.execute(_ASK_POSTGRES)
            return str(cursor.fetchone()[0])
    except DatabaseError:  # the server, or what stands before it, does not tell
        return ""


def watch_statements() -> None:
    """Note what the statements of this thread's sessions with MySQL and MariaDB leave in them, from now on."""
    global _is_watching
    if _is_watching:
        return
    _is_watching = True
    for wrapper in connections.all(initialized_only=True):
        _watch(wrapper)
    connection_created.connect(_connected, weak=False, dispatch_uid="workerd.session_state")


def _connected(connection: BaseDatabaseWrapper, **_: Any) -> None:
    _watch(connection)


def _watch(wrapper: BaseDatabaseWrapper) -> None:
    if wrapper.vendor == "mysql" and _note_statement not in wrapper.execute_wrappers:
        wrapper.execute_wrappers.insert(0, _note_statement)


def _note_statement(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
    result = execute(sql, params, many, context)
    text = str(sql[:_READ_CHARACTERS])
    for pattern, name in _SAID:
        if pattern.search(text) if name == "named locks" else pattern.match(text):
            session = sessions.session_of(context["connection"])
            if session is not None:
                session.kept = session.kept or name
    return result

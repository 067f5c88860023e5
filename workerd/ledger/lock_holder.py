"""Finds out which session of the server holds the lock that the ledger waits for, where the server tells."""

from contextlib import suppress

from django.db import Error
from django.db.backends.base.base import BaseDatabaseWrapper

_POSTGRES = """
SELECT concat('session ', a.pid, ' of user "', a.usename, '"', ' (' || NULLIF(a.application_name, '') || ')')
FROM pg_locks l JOIN pg_class c ON c.oid = l.relation JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.granted AND l.pid <> pg_backend_pid() AND c.relname LIKE 'workerd\\_%%' AND l.mode <> 'AccessShareLock'
ORDER BY l.mode LIKE '%%Exclusive%%' AND l.mode NOT LIKE 'Row%%' DESC, a.xact_start LIMIT 1
"""
_MYSQL = (
    # MySQL 8 and later; MariaDB with its plugin METADATA_LOCK_INFO; then whoever has an open transaction
    """
    SELECT CONCAT('session ', t.processlist_id, ' of user "', t.processlist_user, '"')
    FROM performance_schema.metadata_locks m JOIN performance_schema.threads t ON t.thread_id = m.owner_thread_id
    WHERE m.lock_status = 'GRANTED' AND t.processlist_id <> CONNECTION_ID()
      AND (m.object_type = 'GLOBAL' OR m.object_name LIKE 'workerd\\_%%')
      AND m.lock_type NOT IN ('SHARED_READ', 'INTENTION_EXCLUSIVE')
    LIMIT 1
    """,
    """
    SELECT CONCAT('session ', p.id, ' of user "', p.user, '"')
    FROM information_schema.metadata_lock_info m JOIN information_schema.processlist p ON p.id = m.thread_id
    WHERE p.id <> CONNECTION_ID() AND (m.table_name LIKE 'workerd\\_%%' OR m.lock_type LIKE '%%Global%%') LIMIT 1
    """,
    """
    SELECT CONCAT('session ', p.id, ' of user "', p.user, '"')
    FROM information_schema.innodb_trx x JOIN information_schema.processlist p ON p.id = x.trx_mysql_thread_id
    WHERE p.id <> CONNECTION_ID() AND x.trx_rows_locked > 0 ORDER BY x.trx_started LIMIT 1
    """,
)


def find_lock_holder(connection: BaseDatabaseWrapper) -> str:
    """Return the session in words, "" where the server does not tell or nobody holds a lock any more."""
    queries = {"postgresql": (_POSTGRES,), "mysql": _MYSQL}.get(connection.vendor, ())
    for query in queries:
        with suppress(Error), connection.cursor() as cursor:
            cursor.execute(query, [])
            if row := cursor.fetchone():
                return str(row[0])
    return ""

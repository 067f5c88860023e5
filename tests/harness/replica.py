"""Two PostgreSQL servers: a primary, and a replica that follows it until it is told not to, and can be promoted."""

from typing import Any

import psycopg2

from .backends.postgres import PostgresServer
from .waiting import eventually

WITHIN_S = 60.0
STREAMING = {
    "wal_level": "replica",
    "max_wal_senders": "5",
    "hot_standby": "on",
    "synchronous_commit": "local",
    "wal_receiver_timeout": "5s",
}


class Primary(PostgresServer):
    """A server that others may follow."""

    settings = STREAMING

    def ask(self, statement: str, *, database: str = "postgres") -> Any:
        """Run a statement, and return the first value of its answer, if it has one."""
        at = self.address
        connection = psycopg2.connect(host=at.host, port=at.port, user=at.user, dbname=database)
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement)
                row = cursor.fetchone() if cursor.description else None
                return row and row[0]
        finally:
            connection.close()


class Replica(Primary):
    """Follows ``primary``, which has to run when this one is started for the first time."""

    def __init__(self, primary: Primary) -> None:
        super().__init__()
        self._primary = primary

    def make_data(self) -> None:
        at = self._primary.address
        options = ["-R", "-X", "stream", "-c", "fast", "--no-sync"]
        source = ["-h", at.host, "-p", str(at.port), "-U", at.user]
        self.run([self.binary("pg_basebackup"), "-D", self.data, *options, *source])

    def catch_up(self) -> None:
        """Return when it has all that the primary has now."""
        end = self._primary.ask("SELECT pg_current_wal_lsn()")
        has_it = f"SELECT pg_last_wal_replay_lsn() >= '{end}'"
        eventually(lambda: bool(self.ask(has_it)), WITHIN_S, "the replica to have what the primary has")

    def fall_behind(self) -> None:
        """Follow no more, so that it lacks what the primary does from now on."""
        self.ask("ALTER SYSTEM SET primary_conninfo = ''")
        self.ask("SELECT pg_reload_conf()")
        receivers = "SELECT count(*) = 0 FROM pg_stat_wal_receiver"
        eventually(lambda: bool(self.ask(receivers)), WITHIN_S, "the end of the replication")

    def promote(self) -> None:
        assert self.ask(f"SELECT pg_promote(wait_seconds => {WITHIN_S:.0f})"), "the replica was not promoted"

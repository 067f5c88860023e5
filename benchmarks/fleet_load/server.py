"""A server of the benchmark's own, as a project would run it, with room for two sessions a node."""

import os
from pathlib import Path
from typing import NamedTuple

import pymysql

from tests.harness.backends.mysql import MySQLServer
from tests.harness.backends.postgres import PostgresServer
from tests.harness.backends.server import Server

TICKS = os.sysconf("SC_CLK_TCK")
SESSIONS = 1_100
AS_PEOPLE_RUN_IT = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "autovacuum": "on",
    "shared_buffers": "128MB",
    "max_connections": str(SESSIONS),
}


class Figures(NamedTuple):
    """What a stretch of time came to."""

    statements: float
    """A second."""
    share_percent: float
    """Of one processor."""


class BenchServer(Server):
    """What the benchmark asks of a server."""

    @property
    def url(self) -> str:
        raise NotImplementedError

    def processor_s(self) -> float:
        """Return the processor time that it has used so far, that of sessions included that have ended."""
        raise NotImplementedError


class BenchPostgres(PostgresServer, BenchServer):
    """Durable."""

    @property
    def url(self) -> str:
        return f"postgres+psycopg2://{self.superuser}@127.0.0.1:{self.address.port}/postgres?sslmode=disable"

    def command(self) -> list[str]:
        return super().command() + [
            word for name, value in AS_PEOPLE_RUN_IT.items() for word in ("-c", f"{name}={value}")
        ]

    def processor_s(self) -> float:
        postmaster = int((self.data / "postmaster.pid").read_text().split()[0])
        return _ended_s(postmaster) + sum(_ran_s(pid) for pid in (postmaster, *_children(postmaster)))


class BenchMySQL(MySQLServer, BenchServer):
    """Durable."""

    @property
    def url(self) -> str:
        return f"mysql+pymysql://{self.superuser}@127.0.0.1:{self.address.port}/workerd"

    def command(self) -> list[str]:
        durable = ["--innodb-flush-log-at-trx-commit=1", "--innodb-doublewrite=1", f"--max-connections={SESSIONS}"]
        return [*super().command(), *durable]

    def start(self) -> None:
        super().start()
        with pymysql.connect(host="127.0.0.1", port=self.address.port, user=self.superuser).cursor() as cursor:
            cursor.execute("CREATE DATABASE IF NOT EXISTS workerd CHARACTER SET utf8mb4")

    def processor_s(self) -> float:
        user, system = _stat(self.pids()[-1])[11:13]
        return (int(user) + int(system)) / TICKS


SERVERS: dict[str, type[BenchServer]] = {"mariadb": BenchMySQL, "postgresql": BenchPostgres}


def _children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _ended_s(pid: int) -> float:
    return sum(int(ticks) for ticks in _stat(pid)[13:15]) / TICKS


def _ran_s(pid: int) -> float:
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9
    except (FileNotFoundError, ProcessLookupError):  # it has just ended
        return 0.0

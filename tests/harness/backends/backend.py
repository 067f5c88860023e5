"""The backends: a database server and a driver for it, and what a test asks of them."""

import contextlib
import importlib
import importlib.util
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from . import mysql, postgres
from .server import Address, GivenServer, Server

POSTGRES_URL = "WORKERD_TEST_POSTGRES_URL"
MYSQL_URL = "WORKERD_TEST_MYSQL_URL"


@dataclass(frozen=True)
class Backend:
    """One of the five; ``vendor`` is Django's word for the database, ``scheme`` that of the demo's DATABASE_URL."""

    name: str
    vendor: str
    scheme: str
    module: str
    distribution: str

    def missing(self) -> str:
        """Say what this machine lacks to run it, or nothing."""
        if importlib.util.find_spec(self.module) is None:
            return f"its driver {self.distribution} is not installed"
        if self.vendor == "postgresql" and not os.environ.get(POSTGRES_URL) and postgres.find_binaries() is None:
            return f"no PostgreSQL server is installed, and {POSTGRES_URL} is not set"
        if self.vendor == "mysql" and not os.environ.get(MYSQL_URL) and mysql.find_server() is None:
            return f"no MariaDB or MySQL server is installed, and {MYSQL_URL} is not set"
        return ""

    def new_server(self, folder: Path | None = None) -> Server:
        """Return a throw-away server of one's own, not started: for tests that stop it or kill it."""
        if self.vendor == "postgresql":
            return postgres.PostgresServer(folder)
        if self.vendor == "mysql":
            return mysql.MySQLServer(folder)
        raise ValueError(f"{self.name} has no server")

    def server(self, folder: Path) -> Server | GivenServer | None:
        """Return the server of the test run, not started: the environment's, a throw-away one, or None for SQLite."""
        if self.vendor == "sqlite":
            return None
        variable, port = (POSTGRES_URL, 5432) if self.vendor == "postgresql" else (MYSQL_URL, 3306)
        if url := os.environ.get(variable):
            return GivenServer(Address.from_url(url, port))
        return self.new_server(folder)


BACKENDS = {
    backend.name: backend
    for backend in (
        Backend("sqlite", "sqlite", "sqlite", "sqlite3", "Python's sqlite3"),
        Backend("postgres-psycopg2", "postgresql", "postgres+psycopg2", "psycopg2", "psycopg2"),
        Backend("postgres-psycopg", "postgresql", "postgres+psycopg", "psycopg", "psycopg"),
        Backend("mysql-mysqlclient", "mysql", "mysql+mysqlclient", "MySQLdb", "mysqlclient"),
        Backend("mysql-pymysql", "mysql", "mysql+pymysql", "pymysql", "PyMySQL"),
    )
}


class Databases:
    """The databases of one test run: makes, copies and drops them on its backend's server, by its backend's driver.

    SQLite's are files in ``folder``.
    """

    def __init__(self, backend: Backend, folder: Path) -> None:
        self.backend = backend
        self.folder = folder
        self.server = backend.server(folder)

    def url(
        self, name: str, options: Mapping[str, str] | None = None, *, server: Server | GivenServer | None = None
    ) -> str:
        """Return the DATABASE_URL of a database; ``options`` are its query, such as ``{"sslmode": "require"}``."""
        query = f"?{urlencode(options)}" if options else ""
        if self.backend.vendor == "sqlite":
            return f"sqlite:///{quote(str(self.path(name)))}{query}"
        at = (server or self._own_server()).address
        account = quote(at.user, safe="") + (f":{quote(at.password, safe='')}" if at.password else "")
        return f"{self.backend.scheme}://{account}@{at.host}:{at.port}/{name}{query}"

    def path(self, name: str) -> Path:
        """Return the file of an SQLite database."""
        return self.folder / f"{name}.sqlite3"

    def create(self, name: str) -> None:
        """Make an empty database; for SQLite the first use does."""
        if self.backend.vendor != "sqlite":
            self.execute(f"CREATE DATABASE {name}{self._charset}")

    def copy(self, template: str, name: str) -> None:
        """Make a database with everything that ``template`` holds; nobody may be using that."""
        match self.backend.vendor:
            case "sqlite":
                shutil.copyfile(self.path(template), self.path(name))
            case "postgresql":
                self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
            case "mysql":
                self._copy_tables(template, name)

    def drop(self, name: str) -> None:
        """Remove a database, whoever is using it."""
        match self.backend.vendor:
            case "sqlite":
                for path in self.folder.glob(f"{name}.sqlite3*"):
                    path.unlink(missing_ok=True)
            case "postgresql":
                self.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            case "mysql":
                self.execute(f"DROP DATABASE IF EXISTS {name}")

    def execute(self, *statements: str, database: str = "") -> list[Any]:
        """Run statements on the server and return the rows of the last one."""
        with self.session(database) as cursor:
            for statement in statements:
                cursor.execute(statement)
            return list(cursor.fetchall()) if cursor.description else []

    @contextlib.contextmanager
    def session(self, database: str = "") -> Iterator[Any]:
        """Yield a cursor of a raw driver connection in autocommit, past Django: an onlooker's view of the server."""
        server = self._own_server()
        server.ensure_started()
        at = server.address
        driver = importlib.import_module(self.backend.module)
        account: dict[str, Any] = {"host": at.host, "port": at.port, "user": at.user, "password": at.password}
        if self.backend.vendor == "postgresql":
            connection = driver.connect(**account, dbname=database or "postgres")
            connection.autocommit = True
        else:
            connection = driver.connect(**account, database=database or "mysql", charset="utf8mb4", autocommit=True)
        try:
            with contextlib.closing(connection.cursor()) as cursor:
                yield cursor
        finally:
            connection.close()

    def close(self) -> None:
        """Stop the server if it is ours."""
        if self.server is not None:
            self.server.close()

    @property
    def _charset(self) -> str:
        return " CHARACTER SET utf8mb4" if self.backend.vendor == "mysql" else ""

    def _own_server(self) -> Server | GivenServer:
        if self.server is None:
            raise ValueError("SQLite has no server")
        return self.server

    def _copy_tables(self, template: str, name: str) -> None:
        """Make each table anew by its own statement, and fill it: MySQL cannot copy a database."""
        self.create(name)
        with self.session(name) as cursor:
            cursor.execute("SET foreign_key_checks = 0")
            cursor.execute(f"SHOW TABLES FROM {template}")
            for (table,) in cursor.fetchall():
                cursor.execute(f"SHOW CREATE TABLE {template}.{table}")
                cursor.execute(cursor.fetchone()[1])
                cursor.execute(f"INSERT INTO {table} SELECT * FROM {template}.{table}")

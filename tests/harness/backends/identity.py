"""What a run's database really is: the driver's module and version, and what the server says of itself."""

import importlib
import sys
from types import ModuleType

from .backend import Backend, Databases

VERSION_QUERIES = {
    "sqlite": "SELECT 'SQLite ' || sqlite_version()",
    "postgresql": "SELECT version()",
    # MySQL does not say its name in every build, MariaDB does.
    "mysql": "SELECT CONCAT_WS(' ', IF(LOCATE('MariaDB', VERSION()), NULL, 'MySQL'), VERSION(), @@version_comment)",
}


class WrongBackendError(Exception):
    """Django talks to its database by another driver than the one that the run is named after."""


def driver_in_use(vendor: str) -> ModuleType:
    """Return the driver that Django has loaded for ``vendor``."""
    if vendor == "postgresql":
        from django.db.backends.postgresql import psycopg_any

        return sys.modules["psycopg" if psycopg_any.is_psycopg3 else "psycopg2"]
    if vendor == "mysql":
        return _driver_of("django.db.backends.mysql.base")
    return sys.modules[_driver_of("django.db.backends.sqlite3.base").__name__.partition(".")[0]]


def _driver_of(base: str) -> ModuleType:
    driver = importlib.import_module(base).Database
    assert isinstance(driver, ModuleType)
    return driver


def describe(backend: Backend, databases: Databases) -> str:
    """Return one line about driver and server. Raises WrongBackendError if they are not ``backend``'s."""
    from django.db import connection

    if connection.vendor != backend.vendor:
        raise WrongBackendError(f"{backend.name}: Django uses {connection.vendor}")
    driver = driver_in_use(backend.vendor)
    if driver.__name__ != backend.module:
        raise WrongBackendError(f"{backend.name}: Django uses the driver {driver.__name__} of {driver.__file__}")
    return f"{backend.name}: {driver.__name__} {_version(driver)}, {_server_version(backend, databases)}"


def _version(driver: ModuleType) -> str:
    if driver.__name__ == "sqlite3":
        return f"of Python {sys.version.split()[0]}"
    if driver.__name__ == "pymysql":
        return str(driver.VERSION_STRING)  # its __version__ may claim to be mysqlclient's
    if driver.__name__ == "MySQLdb":
        return str(sys.modules["MySQLdb.release"].__version__)
    return str(driver.__version__)


def _server_version(backend: Backend, databases: Databases) -> str:
    query = VERSION_QUERIES[backend.vendor]
    if backend.vendor == "sqlite":
        import sqlite3

        with sqlite3.connect(":memory:") as memory:
            answer = memory.execute(query).fetchone()[0]
        memory.close()
        return str(answer)
    [[answer]] = databases.execute(query)
    return str(answer)

"""Finds out within seconds whether a database can be asked, and says what its errors mean."""

from pathlib import Path

from django.db import Error
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.sqlite3.base import DatabaseWrapper as SQLiteWrapper

from workerd.forksafe.db_errors import classify

PATIENCE_S = 5
_TIMEOUTS = {
    "postgresql": ("connect_timeout",),
    "mysql": ("connect_timeout", "read_timeout", "write_timeout"),  # PyMySQL's first one ends with the TCP handshake
}


def why_unreachable(connection: BaseDatabaseWrapper, patience_s: int = PATIENCE_S) -> str:
    """Return why no session can be had, or nothing. A session that is open already is not tried."""
    if connection.connection is not None:
        return ""
    probe = connection.copy()
    options = probe.settings_dict["OPTIONS"]
    options.pop("pool", None)  # a pool tries for half a minute
    for name in _TIMEOUTS.get(connection.vendor, ()):
        options.setdefault(name, patience_s)
    try:
        probe.ensure_connection()
    except Error as error:
        return first_line(error)
    finally:
        probe.close()
    return ""


def is_in_memory(connection: BaseDatabaseWrapper) -> bool:
    """Return whether this is SQLite without a file, so that each process has a database of its own."""
    return isinstance(connection, SQLiteWrapper) and connection.is_in_memory_db()


def lacks_its_file(connection: BaseDatabaseWrapper) -> bool:
    """Return whether this is an SQLite file that nobody has made yet: to connect would make an empty one."""
    name = str(connection.settings_dict["NAME"])
    return isinstance(connection, SQLiteWrapper) and not name.startswith("file:") and not Path(name).exists()


def describe_error(error: Error) -> str:
    """Return what an error of the database means to whoever typed a command."""
    return f"The database {classify(error).value} ({first_line(error)}). “manage.py workerd check” says more."


def first_line(error: Exception) -> str:
    """Return what the driver says, without the lines that tell its programmer more."""
    text = str(error.args[-1] if error.args else error)
    return text.strip().partition("\n")[0].rstrip(".")

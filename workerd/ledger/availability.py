"""Whether the ledger reaches its database: what the daemon is told of it, and when it is tried again."""

import time
from collections.abc import Callable

from django.db.backends.base.base import BaseDatabaseWrapper

from workerd.forksafe.closing import close_wrapper
from workerd.wire.backoff import Backoff
from workerd.wire.messages import DatabaseConnected, DatabaseLost, DatabaseRecovered, Message

from .db_errors import DatabaseFault, classify

RETRY_CAP_S = 5.0
BUSY_RETRY_S = 0.2
BUSY_PATIENCE_S = 30.0
"""A lock in the way for longer than this is said like an outage."""
CATCH_UP_S = 5.0
"""A recovery is said once the journal is empty, or after this long: jobs wait for it."""

_PRODUCTS = {"postgresql": "PostgreSQL", "mysql": "MySQL or MariaDB"}


class Availability:
    """Lost or not, since when, tried again when; tells the daemon each change once."""

    def __init__(self, connection: BaseDatabaseWrapper, send: Callable[[Message], None], poll_seconds: float) -> None:
        self._connection: BaseDatabaseWrapper = connection
        self._send = send
        self._backoff = Backoff(poll_seconds, RETRY_CAP_S)
        self._connected = False
        self._lost = False
        self._answered_at: float | None = None
        self._busy_since: float | None = None
        self._renewed = False
        self.retry_at = 0.0
        self.caught_up = 0

    @property
    def up(self) -> bool:
        """Whether the database was reached, and not lost since."""
        return self._connected and not self.lost

    @property
    def lost(self) -> bool:
        """Whether the daemon was told that the database is not reached, and it was not since."""
        return self._lost and self._answered_at is None

    def answered(self) -> None:
        """Take note that rows could be read and written."""
        first, self._connected = not self._connected, True
        if first:
            self._send(DatabaseConnected(self._connection.vendor, _version(self._connection)))
        if first or self._lost:  # an earlier ledger, that was killed, may have lost it
            self._answered_at = time.monotonic()
        self._backoff.reset()

    def settle(self, *, empty: bool) -> None:
        """All that was due went well; say so once what was held up is written."""
        self._busy_since = None
        self._renewed = False
        if self._answered_at is None:
            return
        if empty or time.monotonic() - self._answered_at > CATCH_UP_S:
            self._send(DatabaseRecovered(self.caught_up))
            self._lost = False
            self._answered_at = None

    def failed(self, error: BaseException) -> None:
        """Set the next try, on a new connection where it was more than a lock; an outage is told once."""
        trouble, now = classify(error), time.monotonic()
        if trouble is DatabaseFault.BUSY and now - (self._busy_since or now) < BUSY_PATIENCE_S:
            self._busy_since = self._busy_since or now
            self.retry_at = now + BUSY_RETRY_S
            return
        if self._connection.connection is not None:
            close_wrapper(self._connection, "unusable")
        if trouble is DatabaseFault.UNREACHABLE and self.up and not self._renewed:
            self._renewed = True  # a session may end while the server is well: one more try, at once
            return
        self.retry_at = now + self._backoff.next()
        self._answered_at = None
        if not self._lost:
            self._lost = True
            self.caught_up = 0
            self._send(DatabaseLost(describe(self._connection, trouble, error)))


def describe(connection: BaseDatabaseWrapper, trouble: DatabaseFault, error: BaseException) -> str:
    """Return one sentence: which database, what is wrong, what to do."""
    what = f'database "{connection.alias}" ({_place(connection)})'
    said = str(error.args[-1] if error.args else error).strip().partition("\n")[0][:300]
    again = "running jobs go on, and it is tried again by itself"
    if trouble is DatabaseFault.UNMIGRATED:
        return f'{what} is not migrated ({said}): run "manage.py migrate --database {connection.alias}"; {again}'
    if trouble is DatabaseFault.FORBIDDEN:
        return f"{what} does not let its user read and write workerd's tables ({said}): grant that; {again}"
    if trouble is DatabaseFault.BUSY:
        return f"{what} is locked by another transaction ({said}): end that; {again}"
    if trouble in (DatabaseFault.POISON, DatabaseFault.FAULT):
        return f"{what} refuses our query ({said}): please report this; {again}"
    return f"{what} does not answer ({said}): start it or put its settings right; {again}"


def _place(connection: BaseDatabaseWrapper) -> str:
    values = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"SQLite, {values['NAME']}"
    product = _PRODUCTS.get(connection.vendor, connection.vendor)  # display_name asks the server, on MySQL
    host, port = values.get("HOST") or "its default host", values.get("PORT")
    return f"{product}, {host}{f':{port}' if port else ''}"


def _version(connection: BaseDatabaseWrapper) -> str:
    numbers = connection.get_database_version()
    return f"{connection.display_name} {'.'.join(str(number) for number in numbers)}"

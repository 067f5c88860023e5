"""Knows whether the ledger reaches its database: what it tells the daemon, and when it tries again."""

import time
from collections.abc import Callable

from django.db.backends.base.base import BaseDatabaseWrapper

from workerd.forksafe.closing import close_wrapper
from workerd.forksafe.db_errors import DatabaseFault, classify
from workerd.wire.backoff import Backoff
from workerd.wire.messages import DatabaseConnected, DatabaseLost, DatabaseRecovered, Message
from workerd.wire.reasons import Reason

from .fleet_size import FleetSize
from .lock_holder import find_lock_holder
from .refusals import SharedRefusalError, without_texts

RETRY_CAP_S = 5.0
CONTACTS_A_SECOND = 100
"""A server that has been restarted is contacted by so many nodes a second, and not by all that wait for it at once."""
BUSY_RETRY_S = 0.2
BUSY_PATIENCE_S = 30.0
"""A lock that blocks the ledger for longer than this is told as an outage."""
CATCH_UP_S = 5.0
"""A recovery is told when the journal is empty, or after this time, because jobs wait for it."""

_WORDS: dict[DatabaseFault, tuple[str, str]] = {
    DatabaseFault.UNREACHABLE: ("does not answer", "start it or put its settings right"),
    DatabaseFault.OFFLINE: ("is starting, stopping or offline", "wait, or have it put online"),
    DatabaseFault.LOGIN: ("refuses the login", "put account, password and rights right, here or at the server"),
    DatabaseFault.REFUSED: ("refuses a session", "put right what it says, at the server or in the settings"),
    DatabaseFault.MISSING: ("does not exist at this server", "make it, or put its name right in the settings"),
    DatabaseFault.CROWDED: ("has no free session", "end sessions, or let the server and the account have more"),
    DatabaseFault.READ_ONLY: ("is read-only", "wait for the failover, or make it writable"),
    DatabaseFault.FULL: ("has no room left", "make room on the server's disk or in its limits"),
    DatabaseFault.UNMIGRATED: ("is not migrated", 'run "manage.py migrate --database {alias}"'),
    DatabaseFault.AHEAD: (
        "is not as this version of workerd knows it",
        "restart the service with the release that it was migrated for",
    ),
    DatabaseFault.FORBIDDEN: ("does not let its user read and write workerd's tables", "grant that"),
    DatabaseFault.BUSY: ("is locked by another transaction", "end that"),
    DatabaseFault.POISON: ("refuses a query of workerd", "please report this"),
    DatabaseFault.FAULT: ("refuses a query of workerd", "please report this"),
}
"""For each fault: what is said of the database, and the remedy."""
_PRODUCTS = {"postgresql": "PostgreSQL", "mysql": "MySQL or MariaDB"}


class Availability:
    """Knows whether the database is lost and when to try it again; tells the daemon each change, and each reason."""

    def __init__(
        self,
        connection: BaseDatabaseWrapper,
        send: Callable[[Message], None],
        poll_seconds: float,
        fleet: FleetSize | None = None,
    ) -> None:
        self._connection: BaseDatabaseWrapper = connection
        self._send = send
        self._fleet = fleet or FleetSize()
        self._backoff = Backoff(poll_seconds, RETRY_CAP_S)
        self._connected = False
        self._lost = False
        self._reason = ""
        self._answered_at: float | None = None
        self._busy_since: float | None = None
        self._renewed = False
        self.retry_at = 0.0
        self.caught_up = 0

    @property
    def up(self) -> bool:
        """Whether the database was reached and has not been lost since."""
        return self._connected and not self.lost

    @property
    def lost(self) -> bool:
        """Whether the daemon was told that the database is lost, and it has not answered since."""
        return self._lost and self._answered_at is None

    def answered(self) -> None:
        """Note that rows could be read and written."""
        first, self._connected = not self._connected, True
        if first:
            self._send(DatabaseConnected(self._connection.vendor, _version(self._connection)))
        if first or self._lost:  # first, because an earlier ledger may have told of a loss and been killed
            self._answered_at = time.monotonic()
        self._backoff.reset()

    def settle(self, *, empty: bool) -> None:
        """Note that all that was due went well; tell a recovery when the backlog is written."""
        self._busy_since = None
        self._renewed = False
        if self._answered_at is None:
            return
        if empty or time.monotonic() - self._answered_at > CATCH_UP_S:
            self._send(DatabaseRecovered(self.caught_up))
            self._lost = False
            self._answered_at = None

    def failed(self, error: BaseException) -> None:
        """Set the time of the next try, on a new connection unless a lock was in the way; tell an outage."""
        fault, now = _fault_of(error), time.monotonic()
        if fault is DatabaseFault.BUSY and now - (self._busy_since or now) < BUSY_PATIENCE_S:
            self._busy_since = self._busy_since or now
            self.retry_at = now + BUSY_RETRY_S
            return
        holder = find_lock_holder(self._connection) if fault is DatabaseFault.BUSY else ""
        if self._connection.connection is not None and fault is not DatabaseFault.BUSY:
            close_wrapper(self._connection, "unusable")
        if fault is DatabaseFault.UNREACHABLE and self.up and not self._renewed:
            self._renewed = True  # a session may end while the server is well, so one more try is due at once
            self.retry_at = now + self._fleet.spread(CONTACTS_A_SECOND)
            return
        self.retry_at = now + self._fleet.varied(self._backoff.next()) + self._fleet.spread(CONTACTS_A_SECOND)
        self._answered_at = None
        reason = describe(self._connection, fault, error, holder)
        if not self._lost:
            self._lost = True
            self.caught_up = 0
        elif reason == self._reason:
            return
        self._reason = reason
        self._send(DatabaseLost(str(reason), reason.public))


def _fault_of(error: BaseException) -> DatabaseFault:
    return DatabaseFault.AHEAD if isinstance(error, SharedRefusalError) else classify(error)


def describe(connection: BaseDatabaseWrapper, fault: DatabaseFault, error: BaseException, holder: str = "") -> Reason:
    """Return one sentence: which database, what is wrong, what to do; its public part leaves the server out."""
    database = f'database "{connection.alias}"'
    message = str(error if isinstance(error, SharedRefusalError) else error.args[-1] if error.args else error)
    message = message.strip().partition("\n")[0][:300]
    if fault in {DatabaseFault.POISON, DatabaseFault.FAULT}:
        message = without_texts(message)
    words, remedy = _WORDS[fault]
    if holder:
        message = f"{message}; {holder}, holds a lock"
    remedy = remedy.format(alias=connection.alias)
    return Reason(f"{database} ({_place(connection)}) {words} ({message}): {remedy}", f"{database} {words}: {remedy}")


def _place(connection: BaseDatabaseWrapper) -> str:
    values = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"SQLite, {values['NAME']}"
    product = _PRODUCTS.get(connection.vendor, connection.vendor)  # on MySQL, display_name would ask the server
    host, port = values.get("HOST") or "its default host", values.get("PORT")
    return f"{product}, {host}{f':{port}' if port else ''}"


def _version(connection: BaseDatabaseWrapper) -> str:
    numbers = connection.get_database_version()
    return f"{connection.display_name} {'.'.join(str(number) for number in numbers)}"

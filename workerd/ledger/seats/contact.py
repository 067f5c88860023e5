"""The keeper's reach of the database: its connection, how long it waits for it, and what becomes of an error."""

import random
import traceback

from workerd.forksafe.db_errors import DatabaseFault, classify
from workerd.forksafe.events import emit
from workerd.ledger.availability import describe
from workerd.wire.backoff import Backoff
from workerd.wire.lease import boot_time, renewal_interval

from .session import Session, patience

FIRST_RETRY_S = 0.25
LONGEST_RETRY_S = 1.0
CONTACTS_A_SECOND = 250
"""A server that comes back is contacted by so many nodes a second; one alone waits no longer than its interval."""


class Contact:
    """One for the keeper's thread. ``confirmed`` is whether the newest renewal was, over this connection."""

    def __init__(self, alias: str) -> None:
        self._alias = alias
        self._session: Session | None = None
        self._patience_s = 0.0
        self._backoff = Backoff(FIRST_RETRY_S, LONGEST_RETRY_S)
        self._failures = 0
        self._is_new = False
        self._out_since: float | None = None
        self.interval = renewal_interval(0)
        self.retry_at = 0.0
        self.confirmed = False

    def pace(self, shortest: float) -> Session:
        """Go by the shortest ``takeover_after``; return the connection for it."""
        self.interval = renewal_interval(shortest)
        if self._session is None or self._patience_s != patience(shortest):
            self.close()
            self._patience_s = patience(shortest)
            self._session = Session(self._alias, self._patience_s)
        return self._session

    def spread(self) -> float:
        """Return how long to wait until the next of what is done each interval."""
        return self.interval * random.uniform(0.8, 1.0)

    def wait(self) -> None:
        """Try nothing for an interval."""
        self.retry_at = boot_time() + self.interval

    def answered(self) -> bool:
        """Note a confirmed renewal; return whether it is the first since the connection was lost."""
        self._backoff.reset()
        self._failures = 0
        self.confirmed = True
        was_new, self._is_new = self._is_new, False
        if self._out_since is not None:
            emit("seats.confirmed", seconds=round(boot_time() - self._out_since, 1))
            self._out_since = None
        return was_new

    def failed(self, error: BaseException, nodes: int) -> bool:
        """Set the time of the next try, on a new connection unless a lock was in the way.

        ``nodes`` may have lost the server at this moment. Return whether that is an outage, which is told once.
        """
        fault, now = classify(error), boot_time()
        self._failures += 1
        others_s = min(self.interval, (nodes - 1) / CONTACTS_A_SECOND) if nodes > 1 else 0.0
        self.retry_at = now + self._backoff.next() * random.uniform(0.5, 1.0)
        if self._session is None or (fault is DatabaseFault.BUSY and self._failures == 1):
            return False
        self.confirmed = False
        if fault is not DatabaseFault.BUSY:
            self.retry_at += others_s * random.random()
            self._is_new = True
            self._session.close()
        if self._failures == 1 or self._out_since is not None:
            return False
        self._out_since = now
        emit("seats.unconfirmed", reason=describe(self._session.connection, fault, error))
        return True

    def broke(self, error: Exception) -> None:
        """Tell an error of ours, and leave the connection in whatever state it is: the next one closes it."""
        emit("seats.failed", reason=f"{type(error).__name__}: {error}", traceback=traceback.format_exc())
        self.confirmed = False
        self.wait()
        if self._session is not None:
            self._session.forget()
            self._session = None

    def close(self) -> None:
        if self._session is not None:
            self._session.close()

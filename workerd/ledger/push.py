"""Has PostgreSQL wake the ledger: a saved row sends a NOTIFY at its commit, and the ledger polls at once.

PgBouncer and its like swallow LISTEN without an error, so the ledger sends one NOTIFY to itself to see whether it
arrives. It polls all the same: a NOTIFY only makes the next poll come sooner.
"""

import uuid
from collections.abc import Callable
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from workerd.push import CHANNEL
from workerd.wire.messages import Message, PushFound


class Push:
    """Listens on the ledger's connection, and again on each new one."""

    def __init__(self, connection: BaseDatabaseWrapper, send: Callable[[Message], None]) -> None:
        self._connection = connection
        self._send = send
        self._raw: Any = None
        self._probe = ""
        self._payloads: list[str] = []
        self._told: bool | None = None

    @property
    def descriptor(self) -> int | None:
        """The socket of the connection that listens, or None while none does."""
        raw = self._raw
        return None if raw is None or raw is not self._connection.connection or raw.closed else raw.fileno()

    def listen(self) -> None:
        """Listen on the present connection, if it does not yet. Raises the database's errors."""
        if self._connection.vendor != "postgresql":
            self._tell(works=False)
            return
        self._connection.ensure_connection()
        raw = self._connection.connection
        if raw is self._raw:
            return
        self._probe = uuid.uuid4().hex
        if hasattr(raw, "add_notify_handler"):
            raw.add_notify_handler(lambda notify: self._payloads.append(notify.payload))
        with self._connection.cursor() as cursor:
            cursor.execute(f"LISTEN {CHANNEL}")
            cursor.execute(f"NOTIFY {CHANNEL}, '{self._probe}'")
        self._raw = raw
        self._tell(works=self._probe in self._collect())

    def heard(self) -> bool:
        """Return whether a row was saved since the last call. Raises the database's errors."""
        if self.descriptor is None:
            return False
        with self._connection.wrap_database_errors:
            payloads = self._collect()
        return any(payload != self._probe for payload in payloads)

    def _collect(self) -> list[str]:
        """Return what has arrived, without waiting; psycopg 2 and 3 each have their own way."""
        raw = self._raw
        if hasattr(raw, "pgconn"):
            raw.pgconn.consume_input()
            while (notify := raw.pgconn.notifies()) is not None:
                self._payloads.append(notify.extra.decode("utf-8", "replace"))
        else:
            raw.poll()
            self._payloads += [notify.payload for notify in raw.notifies]
            raw.notifies.clear()
        payloads, self._payloads = self._payloads, []
        return payloads

    def _tell(self, *, works: bool) -> None:
        if self._told is not works:
            self._told = works
            self._send(PushFound(works))

"""Has PostgreSQL wake the ledger: a saved row sends a NOTIFY at its commit, and the ledger polls at once.

PgBouncer and its like take LISTEN, and pass nothing on while they have lent the session to nobody. So another session,
which ends at once, sends a NOTIFY, and the ledger sees whether it arrives. It polls all the same: a NOTIFY only makes
the next poll come sooner.
"""

import select
import time
import uuid
from collections.abc import Callable
from typing import Any

from django.db import Error
from django.db.backends.base.base import BaseDatabaseWrapper

from workerd.forksafe.drivers import error_class_of
from workerd.forksafe.probe import new_session
from workerd.push import CHANNEL, SEATS
from workerd.wire.messages import Message, PushFound

PROOF_S = 1.0


class Push:
    """Listens on the ledger's connection, and again on each new one."""

    def __init__(
        self,
        connection: BaseDatabaseWrapper,
        send: Callable[[Message], None],
        on_seats: Callable[[str], None] = lambda _payload: None,
    ) -> None:
        """``on_seats`` is given what a NOTIFY says of a seat that was released."""
        self._connection = connection
        self._send = send
        self._on_seats = on_seats
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
        self._raw = raw
        with self._connection.wrap_database_errors:
            self._tell(works=self._is_proven())

    def heard(self) -> bool:
        """Return whether a row was saved since the last call. Raises the database's errors."""
        if self.descriptor is None:
            return False
        with self._connection.wrap_database_errors:
            answered, unasked = self._collect()
        if unasked:  # what comes with an answer may be this session's own, which a pooler passes on
            self._tell(works=True)
        payloads = {*answered, *unasked} - {self._probe}
        about_seats = {payload for payload in payloads if payload.startswith(SEATS)}
        for payload in sorted(about_seats):
            self._on_seats(payload)
        return bool(payloads - about_seats)

    def _is_proven(self) -> bool:
        """Have another session send a NOTIFY, and return whether it arrives while this one asks nothing."""
        try:
            with new_session(self._connection) as cursor:
                cursor.execute(f"NOTIFY {CHANNEL}, '{self._probe}'")
                cursor.connection.commit()
        except (error_class_of(self._connection), Error, OSError):
            return False
        deadline = time.monotonic() + PROOF_S
        others: list[str] = []
        while any(found := self._collect()) or (left := deadline - time.monotonic()) > 0:
            payloads = [*found[0], *found[1]]
            others += [payload for payload in payloads if payload != self._probe]
            if self._probe in payloads:
                self._payloads += others  # to be heard
                return True
            if not payloads:
                socket = select.poll()  # select() takes no descriptor above 1,023
                socket.register(self._raw.fileno(), select.POLLIN)
                socket.poll(left * 1000)
        return False

    def _collect(self) -> tuple[list[str], list[str]]:
        """Return what came with the answers to queries, and what came unasked, without waiting.

        Psycopg 2 and 3 each have their own way.
        """
        raw = self._raw
        answered, self._payloads = self._payloads, []
        unasked: list[str] = []
        if hasattr(raw, "pgconn"):
            raw.pgconn.consume_input()
            while (notify := raw.pgconn.notifies()) is not None:
                unasked.append(notify.extra.decode("utf-8", "replace"))
        else:
            answered += _take(raw.notifies)
            raw.poll()
            unasked += _take(raw.notifies)
        return answered, unasked

    def _tell(self, *, works: bool) -> None:
        if self._told is not works:
            self._told = works
            self._send(PushFound(works))


def _take(notifies: list[Any]) -> list[str]:
    payloads = [notify.payload for notify in notifies]
    notifies.clear()
    return payloads

"""Keeps what the daemon says: journalled, then acknowledged; also while the main thread waits for the database.

A server that falls silent holds that thread for up to half a minute, and what the daemon alone knows dies with it.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from workerd.errors import WorkerdError
from workerd.wire.messages import Acknowledged, Message, Waiting

from .inbox import Inbox
from .spool import Spool

STAND_IN_S = 0.1
COUNT_EVERY_S = 1.0


class DaemonGoneError(WorkerdError):
    """The daemon no longer reads the ledger's channel. The journal has all that the daemon has sent."""


class Receiver:
    """Two threads read the inbox: the main one, and while that is ``away``, one that stands in for it."""

    def __init__(self, inbox: Inbox, spool: Spool, send: Callable[[Message], None]) -> None:
        self._inbox = inbox
        self._spool = spool
        self._send = send
        self._lock = threading.Lock()
        self._away = threading.Event()
        self._received = self._acknowledged = self._waiting = 0
        self._count_at = 0.0

    def start(self) -> None:
        """Have somebody who stands in."""
        threading.Thread(target=self._stand_in, name="keeper", daemon=True).start()

    def read(self, timeout_s: float, wake_for: int | None) -> None:
        """Wait for the daemon, or for ``wake_for`` to be readable; keep what has come."""
        with self._lock:
            self._inbox.also_wake_for(wake_for)
            self._keep(timeout_s)
            self._count()

    def acknowledge(self) -> None:
        """Tell the daemon what is safe."""
        with self._lock:
            self._acknowledge()

    @contextmanager
    def away(self) -> Iterator[None]:
        """Have the inbox read meanwhile: what is done here may take long."""
        self._away.set()
        try:
            yield
        finally:
            self._away.clear()

    def _stand_in(self) -> None:
        while not self._inbox.closed:
            self._away.wait()
            time.sleep(STAND_IN_S)  # most turns are over by then
            with self._lock, suppress(DaemonGoneError):  # the main thread finds out by itself
                if self._away.is_set():
                    self._keep(0.0)
                    self._count()

    def close(self) -> None:
        """Close the journal, when nobody is at it."""
        with self._lock:
            self._spool.close()

    def _keep(self, timeout_s: float) -> None:
        """Journal what has come, all in one commit, then say so."""
        records = self._inbox.read(timeout_s)
        if records:
            self._spool.append(records)
            self._received = max(self._received, *(record.sequence for record in records))
            self._acknowledge()

    def _count(self) -> None:
        """Tell how far behind the database is."""
        now = time.monotonic()
        if now < self._count_at:
            return
        self._count_at = now + COUNT_EVERY_S
        waiting = len(self._spool)
        if waiting != self._waiting:
            self._waiting = waiting
            self._send(Waiting(waiting))

    def _acknowledge(self) -> None:
        """Safe is what is on disk, or, while there is only memory to keep it in, in the database."""
        if self._received > self._acknowledged and (self._spool.durable or not self._spool):
            self._acknowledged = self._received
            self._send(Acknowledged(self._acknowledged))

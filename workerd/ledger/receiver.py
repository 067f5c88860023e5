"""Journals and acknowledges the daemon's records, also while the main thread waits for the database.

A database server that falls silent can hold the main thread for half a minute. Until a record is journalled only the
daemon has it, and it would be lost with the daemon.
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
"""How often the second thread reads while the main one is away; most turns are shorter than this."""
COUNT_EVERY_S = 1.0


class DaemonGoneError(WorkerdError):
    """The daemon no longer reads the ledger's channel. The journal has all that the daemon has sent."""


class Receiver:
    """Reads the inbox: in the main thread, and in a second one while the main thread is ``away``."""

    def __init__(self, inbox: Inbox, spool: Spool, send: Callable[[Message], None]) -> None:
        self._inbox = inbox
        self._spool = spool
        self._send = send
        self._lock = threading.Lock()
        self._away = threading.Event()
        self._received = self._acknowledged = 0
        self._counts = 0, 0
        self._count_at = 0.0

    def start(self) -> None:
        """Start the second thread."""
        threading.Thread(target=self._stand_in, name="receiver", daemon=True).start()

    def read(self, timeout_s: float, wake_for: int | None) -> None:
        """Wait for the daemon, or for ``wake_for`` to be readable; journal what has come."""
        with self._lock:
            self._inbox.also_wake_for(wake_for)
            self._receive(timeout_s)
            self._report_counts()

    def acknowledge(self) -> None:
        """Tell the daemon which records are safe."""
        with self._lock:
            self._acknowledge()

    @contextmanager
    def away(self) -> Iterator[None]:
        """Let the second thread read the inbox while the main thread, inside this block, may wait for long."""
        self._away.set()
        try:
            yield
        finally:
            self._away.clear()

    def _stand_in(self) -> None:
        while not self._inbox.closed:
            self._away.wait()
            time.sleep(STAND_IN_S)
            with self._lock, suppress(DaemonGoneError):  # the main thread finds that out by itself
                if self._away.is_set():
                    self._receive(0.0)
                    self._report_counts()

    def close(self) -> None:
        """Close the journal, once no thread uses it."""
        with self._lock:
            self._spool.close()

    def _receive(self, timeout_s: float) -> None:
        """Journal what has come, all in one commit, then acknowledge it."""
        records = self._inbox.read(timeout_s)
        if records:
            self._spool.append(records)
            self._received = max(self._received, *(record.sequence for record in records))
            self._acknowledge()

    def _report_counts(self) -> None:
        """Tell the daemon, once a second at most, how many records the database has not taken, or has refused."""
        now = time.monotonic()
        if now < self._count_at:
            return
        self._count_at = now + COUNT_EVERY_S
        counts = len(self._spool), self._spool.count_set_aside()
        if counts != self._counts:
            self._counts = counts
            self._send(Waiting(*counts))

    def _acknowledge(self) -> None:
        """Acknowledge what the journal has on disk; with a journal in memory, only what the database has."""
        if self._received > self._acknowledged and (self._spool.durable or not self._spool):
            self._acknowledged = self._received
            self._send(Acknowledged(self._acknowledged))

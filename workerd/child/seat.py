"""The seat of the fleet that a run holds, as its job sees it: token, end, and fenced transactions."""

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from workerd.errors import NestedFenceError, SeatLostError

_boot_ns = time.clock_gettime_ns
_BOOT = time.CLOCK_BOOTTIME

OVER = "its node could not renew it in time"
TAKEN = "another process has it now"
GONE = "its row is gone"


class Page(Protocol):
    """The page shows until when the seat is held; it is a ``wire.page.HeartbeatPage``."""

    @property
    def deadline_ns(self) -> int:
        """The boot-time nanoseconds at which the seat is over; 0 for never."""


class Seat(Protocol):
    """The seat that a run holds, as its context asks it."""

    token: int | None

    def check(self) -> None:
        """Raise SeatLostError if the seat is over."""

    def fenced(self) -> AbstractContextManager[None]:
        """Return a transaction that is committed only while the seat is held."""


class NoSeat:
    """The seat of a job whose scope is not the fleet: it has no token and no end."""

    token = None

    def check(self) -> None:
        """Do nothing: there is nothing to lose."""

    @contextmanager
    def fenced(self) -> Iterator[None]:
        """Run the block in a plain transaction."""
        from django.db import transaction

        with transaction.atomic(using=_alias()):
            yield


class HeldSeat:
    """A seat that the daemon's life holds; the page is the daemon's word on until when."""

    def __init__(self, slot: str, job_id: int, index: int, token: int, page: Page) -> None:
        self._slot = slot
        self._job_id = job_id
        self._index = index
        self._token = token
        self.token: int | None = token
        self._page = page

    def check(self) -> None:
        """Raise SeatLostError if the seat is over. A job may call this in its innermost loop."""
        deadline = self._page.deadline_ns
        if deadline and _boot_ns(_BOOT) >= deadline:
            raise SeatLostError(self._slot, self._token, OVER)

    @contextmanager
    def fenced(self) -> Iterator[None]:
        """Run the block in a transaction whose last statement locks the seat's row and compares the token.

        Last, not first: a transaction that held the row from its beginning would keep a dead node's seat from being
        claimed until the database's server notices that the node is dead.
        """
        from django.db import transaction

        alias = _alias()
        self.check()
        refuse_to_nest(alias)
        with transaction.atomic(using=alias):
            yield
            self._compare(alias)
            self.check()  # the lock may have been waited for

    def _compare(self, alias: str) -> None:
        """Raise SeatLostError unless the row has our token; nobody can claim it until the transaction has ended."""
        found = _lock(alias, self._job_id, self._index)
        if found != self.token:
            raise SeatLostError(self._slot, self._token, GONE if found is None else f"{TAKEN}, by token {found}")


def _lock(alias: str, job_id: int, index: int) -> int | None:
    """Lock a seat's row for the rest of the transaction; return its token, None where there is no row."""
    from django.db import connections
    from django.db.models import F

    from workerd.models import Seat as SeatRow

    rows = SeatRow.objects.using(alias).filter(job_id=job_id, index=index).order_by()
    if connections[alias].features.has_select_for_update:
        rows = rows.select_for_update()
    else:
        rows.update(token=F("token"))  # SQLite locks the whole database, for whoever writes
    return next(iter(rows.values_list("token", flat=True)), None)


def refuse_to_nest(alias: str) -> None:
    """Raise NestedFenceError in a transaction: the comparison would not be the last statement before its commit."""
    from django.db import connections

    connection = connections[alias]
    if connection.in_atomic_block:
        if all(getattr(block, "_from_testcase", False) for block in connection.atomic_blocks):
            return  # a TestCase of Django has each test in a transaction, which is never committed
        raise NestedFenceError(alias)
    if not connection.get_autocommit():
        raise NestedFenceError(alias)


def _alias() -> str:
    from workerd.conf import get_settings  # conf needs Django, and a context does not

    return get_settings().database

"""The audit: the rules that the books keep at any moment, even if a process was killed while it wrote."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection
from django.db.models import Count, Exists, F, OuterRef, Q, Sum
from django.db.models.functions import Coalesce

from .models import Account, Entry, Order, Violation
from .movements import CUSTOMERS, MangledRowError


def verify_books(sealed_after: int = 0) -> list[str]:
    """Return a sentence for each rule that is broken; nonces are checked after entry ``sealed_after``.

    Each rule is one statement, so it sees one moment even while movements are booked.
    """
    return [
        *_lopsided_movements(),
        *_wrong_balances(),
        *_broken_seals(sealed_after),
        *_orders_without_goods(),
        *_goods_without_order(),
        *(f"violation seen by process {row.pid}: {row.text}" for row in Violation.objects.order_by("pk")),
    ]


@contextmanager
def recording_violations() -> Iterator[None]:
    """Write a row for each MangledRowError, over a new connection, and raise it again."""
    try:
        yield
    except MangledRowError as error:
        if not connection.in_atomic_block:
            connection.close()  # another process may use its session: do not write through it
        Violation.objects.create(text=str(error), pid=os.getpid())
        raise


def _lopsided_movements() -> Iterator[str]:
    sides = Entry.objects.order_by().values("movement").annotate(count=Count("pk"), total=Sum("quantity"))
    for row in sides.exclude(count=2, total=0):
        yield f"movement {row['movement']} has {row['count']} entries that sum to {row['total']}, not 2 that sum to 0"


def _wrong_balances() -> Iterator[str]:
    total = Account.objects.aggregate(total=Coalesce(Sum("balance"), 0))["total"]
    if total != 0:
        yield f"all balances together are {total}, not 0"
    booked = Account.objects.annotate(booked=Coalesce(Sum("entries__quantity"), 0))
    for account in booked.exclude(balance=F("booked")):
        yield f"account {account.name} has a balance of {account.balance}, its entries sum to {account.booked}"


def _broken_seals(after: int) -> Iterator[str]:
    for entry in Entry.objects.filter(pk__gt=after).order_by("pk").iterator(chunk_size=2000):
        if not entry.is_sealed:
            yield f"entry {entry.pk} of movement {entry.movement} carries a nonce that is not its own"


def _orders_without_goods() -> Iterator[str]:
    goods = Entry.objects.filter(movement=OuterRef("movement"), account__name=CUSTOMERS, quantity=OuterRef("quantity"))
    shipped = Order.objects.filter(Q(shipped__isnull=False) | Q(movement__isnull=False))
    for order in shipped.exclude(Exists(goods)):
        yield f"order {order.pk} is shipped and no goods went to the customers for it"


def _goods_without_order() -> Iterator[str]:
    orders = Order.objects.filter(movement=OuterRef("movement"), shipped__isnull=False)
    for entry in Entry.objects.filter(account__name=CUSTOMERS).exclude(Exists(orders)):
        yield f"movement {entry.movement} went to the customers and no order asked for it"

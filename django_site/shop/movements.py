"""Movements of goods. A movement is two entries that sum to zero.

Processes that share one database session read each other's rows, mostly without an error. So each reader here checks
that a row is the one it asked for.
"""

import uuid

from django.db import transaction
from django.db.models import F

from .models.account import Account
from .models.entry import Entry
from .seals import seal

SUPPLIERS, MAIN, NORTH, CUSTOMERS = "suppliers", "main", "north", "customers"
PLACES = (SUPPLIERS, MAIN, NORTH)
"""Goods move freely between these; they go to the customers only with an order."""


class MangledRowError(Exception):
    """A process read another row than the one it asked for."""


def expect(condition: bool, otherwise: str) -> None:
    """Raise MangledRowError with the sentence ``otherwise`` unless ``condition`` holds."""
    if not condition:
        raise MangledRowError(otherwise)


def move(quantity: int, source: str, target: str) -> uuid.UUID:
    """Book ``quantity`` out of ``source`` and into ``target``; return the movement, read back and checked."""
    movement = uuid.uuid4()
    with transaction.atomic():
        accounts = _locked_accounts(source, target)
        for account, change in ((accounts[source], -quantity), (accounts[target], quantity)):
            Account.objects.filter(pk=account.pk).update(balance=F("balance") + change)
            Entry(movement=movement, account=account, quantity=change).sealed().save(force_insert=True)
    check_movement(movement, quantity)
    return movement


def check_movement(movement: uuid.UUID, quantity: int) -> None:
    """Read a movement's entries and raise MangledRowError unless they are its two, as they were written."""
    entries = list(Entry.objects.filter(movement=movement).order_by("quantity"))
    for entry in entries:
        expect(entry.movement == movement, f"asked for movement {movement} and read {entry.movement}")
        expect(entry.is_sealed, f"entry {entry.pk} is not as it was written")
    read = [entry.quantity for entry in entries]
    expect(read == [-quantity, quantity], f"movement {movement} of {quantity} reads as {read}")


def _locked_accounts(*names: str) -> dict[str, Account]:
    """Lock accounts one by one in the order of their names, so that two movements never wait for each other.

    One statement for all of them will not do: MySQL locks in the order in which it happens to read.
    """
    return {name: _locked_account(name) for name in sorted(names)}


def _locked_account(name: str) -> Account:
    try:
        account = Account.objects.select_for_update().get(name=name)
    except Account.DoesNotExist:
        raise MangledRowError(f"asked for account {name}, which is never deleted, and read nothing") from None
    expect(account.name == name, f"asked for account {name} and read {account.name}")
    expect(account.nonce == seal(name), f"account {name} carries a nonce that is not its own")
    return account

"""Orders from the database: taken once, and told again where a ledger may have been killed before it told."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from workerd.ledger.node import NodeRow
from workerd.ledger.operations import OpenOrders
from workerd.ledger.registration import Claimant
from workerd.models import Node, Operation
from workerd.wire.messages import Message, OperationTaken

pytestmark = pytest.mark.django_db


def ledger(name: str = "shop") -> OpenOrders:
    """The operations of a ledger that has just begun."""
    return OpenOrders("default", NodeRow("default", Claimant(name, "web1")))


def order(**values: Any) -> Operation:
    return Operation.objects.create(**{"verb": "restart", "job_name": "mail", "requested_by": "ann", **values})


def test_an_order_is_taken_once_and_says_by_whom() -> None:
    row = order()
    first, other = ledger(), ledger("another")

    assert first.claim() == [OperationTaken(str(row.pk), "restart", "mail", "ann", row.requested.timestamp())]
    assert first.claim() == other.claim() == []
    row.refresh_from_db()
    assert row.taken is not None
    assert row.node == Node.objects.get(name="shop")


def test_an_order_that_two_daemons_reach_for_is_taken_by_one() -> None:
    """The other one takes it between the look at the open orders and the claim."""
    rows, other = [order(), order()], ledger("another")
    theirs: list[Message] = []
    begun = False

    def let_the_other_first(execute: Callable[..., Any], sql: str, *args: Any) -> Any:
        nonlocal begun
        if sql.startswith("UPDATE") and not begun:
            begun = True
            theirs.extend(other.claim())
        return execute(sql, *args)

    with connection.execute_wrapper(let_the_other_first):
        mine = ledger().claim()

    assert mine == []
    assert len(theirs) == len(rows)
    assert {row.node for row in Operation.objects.all()} == {Node.objects.get(name="another")}


def test_what_was_taken_and_not_answered_is_told_again_by_the_next_ledger_of_the_node() -> None:
    row = order()
    ledger().claim()

    assert ledger("another").claim() == []
    after = ledger()
    assert after.claim() == [OperationTaken(str(row.pk), "restart", "mail", "ann", row.requested.timestamp())]
    assert after.claim() == []


def test_what_was_answered_or_has_expired_is_not_told_again() -> None:
    answered, expired = order(), order()
    ledger().claim()
    Operation.objects.filter(pk=answered.pk).update(result="mail: RUNNING")
    Operation.objects.filter(pk=expired.pk).update(expires=timezone.now() - timedelta(minutes=1))

    assert ledger().claim() == []

"""The shop's books: what a movement leaves behind, and that the audit sees each way in which they can be wrong."""

import uuid

import pytest
from django.db import transaction

from shop.books import recording_violations, verify_books
from shop.models import Account, Article, Entry, Order, Violation
from shop.movements import CUSTOMERS, MAIN, NORTH, MangledRowError, check_movement, move
from shop.opening import open_shop

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def shop() -> None:
    open_shop()


@pytest.fixture
def order() -> Order:
    return Order.objects.create(article=Article.objects.get(name="lamp"), quantity=3)


def test_opening_twice_changes_nothing() -> None:
    move(5, MAIN, NORTH)

    open_shop()

    assert Account.objects.get(name=MAIN).balance == -5
    assert Account.objects.count() == 4
    assert verify_books() == []


def test_a_movement_is_two_entries_that_sum_to_zero() -> None:
    movement = move(5, MAIN, NORTH)

    entries = Entry.objects.filter(movement=movement).values_list("account__name", "quantity")
    assert dict(entries) == {MAIN: -5, NORTH: 5}
    assert dict(Account.objects.filter(balance__lt=0).values_list("name", "balance")) == {MAIN: -5}
    assert verify_books() == []


def test_a_movement_to_an_account_that_is_not_there_leaves_nothing() -> None:
    with pytest.raises(MangledRowError, match="asked for account moon, which is never deleted, and read nothing"):
        move(5, MAIN, "moon")

    assert not Entry.objects.exists()


def test_an_order_is_shipped_once(order: Order) -> None:
    assert [order.ship(), order.ship()] == [True, False]

    assert list(Order.objects.ready(MAIN)) == []
    assert Account.objects.get(name=CUSTOMERS).balance == 3
    assert verify_books() == []


def test_orders_are_ready_in_their_own_warehouse(order: Order) -> None:
    assert list(Order.objects.ready(MAIN)) == [order]
    assert list(Order.objects.ready(NORTH)) == []


def test_a_reader_notices_rows_of_another_movement() -> None:
    movement = move(5, MAIN, NORTH)

    with pytest.raises(MangledRowError, match=f"movement {movement} of 6 reads as"):
        check_movement(movement, 6)
    with pytest.raises(MangledRowError, match=r"reads as \[\]"):
        check_movement(uuid.uuid4(), 5)


def test_a_reader_notices_a_row_that_is_not_as_it_was_written() -> None:
    movement = move(5, MAIN, NORTH)
    Entry.objects.filter(movement=movement, quantity=5).update(account=Account.objects.get(name=CUSTOMERS))

    with pytest.raises(MangledRowError, match="is not as it was written"):
        check_movement(movement, 5)


def test_an_account_with_the_nonce_of_another_is_noticed() -> None:
    Account.objects.filter(name=MAIN).update(nonce=Account.objects.get(name=NORTH).nonce)

    with pytest.raises(MangledRowError, match="account main carries a nonce that is not its own"):
        move(5, MAIN, NORTH)


def test_the_audit_sees_a_movement_without_its_other_side() -> None:
    movement = move(5, MAIN, NORTH)
    Entry.objects.filter(movement=movement, quantity=5).delete()

    assert verify_books() == [
        f"movement {movement} has 1 entries that sum to -5, not 2 that sum to 0",
        "account north has a balance of 5, its entries sum to 0",
    ]


def test_the_audit_sees_a_balance_that_was_lost() -> None:
    move(5, MAIN, NORTH)
    Account.objects.filter(name=NORTH).update(balance=0)

    assert verify_books() == [
        "all balances together are -5, not 0",
        "account north has a balance of 0, its entries sum to 5",
    ]


def test_the_audit_sees_a_foreign_nonce_in_the_entries_it_looks_at() -> None:
    movement = move(5, MAIN, NORTH)
    entry = Entry.objects.get(movement=movement, quantity=5)
    Entry.objects.filter(pk=entry.pk).update(nonce="0" * 16)

    assert verify_books() == [f"entry {entry.pk} of movement {movement} carries a nonce that is not its own"]
    assert verify_books(sealed_after=entry.pk) == []


def test_the_audit_sees_an_order_shipped_without_goods(order: Order) -> None:
    Order.objects.filter(pk=order.pk).update(movement=uuid.uuid4())

    assert verify_books() == [f"order {order.pk} is shipped and no goods went to the customers for it"]


def test_the_audit_sees_goods_that_nobody_ordered() -> None:
    movement = move(5, MAIN, CUSTOMERS)

    assert verify_books() == [f"movement {movement} went to the customers and no order asked for it"]


@pytest.mark.django_db(transaction=True)
def test_a_mangled_row_is_recorded_and_fails_loudly() -> None:
    open_shop()

    with pytest.raises(MangledRowError), recording_violations(), transaction.atomic():
        raise MangledRowError("asked for order 1 and read order 2")

    violation = Violation.objects.get()
    assert verify_books() == [f"violation seen by process {violation.pid}: asked for order 1 and read order 2"]

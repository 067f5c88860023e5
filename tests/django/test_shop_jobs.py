"""The shop's jobs, called as functions: each does its work, turn by turn."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from datetime import timedelta
from io import StringIO
from types import SimpleNamespace
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.core.management import call_command
from django.db import connections
from django.utils import timezone

from shop import jobs, mishaps
from shop.models import Account, Article, Cart, Entry, Order, Violation
from shop.opening import open_shop
from shop.stocktaking import count_stock


class ShortContext:
    """Stands in for a JobContext: a few turns without a pause, and the notes of the beats."""

    def __init__(self, turns: int = 3) -> None:
        self.turns = turns
        self.notes: list[str] = []
        self.log = SimpleNamespace(info=self._forget, debug=self._forget)

    def every(self, _pause: float) -> Iterator[int]:
        return iter(range(self.turns))

    def each(self, rows: Iterable[Any]) -> Iterator[Any]:
        return iter(rows)

    async def aevery(self, _pause: float) -> AsyncIterator[int]:
        for turn in range(self.turns):
            yield turn

    async def aeach(self, rows: Any) -> AsyncIterator[Any]:
        async for row in rows:
            yield row

    def beat(self, note: str = "") -> None:
        self.notes.append(note)

    def _forget(self, event: str, **fields: object) -> None:
        pass


@pytest.fixture
def context() -> Any:
    return ShortContext()


@pytest.fixture
def shop(db: None) -> None:
    open_shop()


@pytest.mark.usefixtures("shop")
def test_stock_is_transferred_once_a_turn(context: Any) -> None:
    jobs.transfer_stock(context)

    assert Entry.objects.count() == 2 * len(context.notes) == 6


@pytest.mark.usefixtures("shop")
def test_what_is_ordered_is_shipped_and_the_books_balance(context: Any) -> None:
    jobs.place_orders(context)
    jobs.ship_orders(context)
    jobs.audit_books(context)

    assert Order.objects.filter(shipped__isnull=False).count() == 3
    assert context.notes[-1] == f"books balance up to entry {Entry.objects.latest('pk').pk}"


@pytest.mark.usefixtures("shop")
def test_the_audit_fails_where_the_books_do_not_balance(context: Any) -> None:
    Account.objects.filter(name="main").update(balance=1)
    Violation.objects.create(text="asked for order 1 and read order 2", pid=1)

    with pytest.raises(
        jobs.BooksDoNotBalanceError, match=r"(?s)all balances together are 1.*violation seen by process 1"
    ):
        jobs.audit_books(context)


@pytest.mark.django_db(transaction=True)
def test_prices_move_by_a_cent() -> None:
    open_shop()
    before = dict(Article.objects.values_list("name", "price"))
    context: Any = ShortContext(turns=1)

    async def follow() -> None:
        await jobs.price_feed(context)
        await sync_to_async(connections.close_all)()  # the thread that had the connection outlives this loop

    asyncio.run(follow())

    moved = {name: abs(price - before[name]) for name, price in Article.objects.values_list("name", "price")}
    assert {f"{cents:.2f}" for cents in moved.values()} == {"0.01"}


def test_the_courier_is_out_after_a_while() -> None:
    context: Any = ShortContext(turns=100)

    with pytest.raises(mishaps.CourierUnavailableError):
        mishaps.call_courier(context, fails_after=10)

    assert 9 <= len(context.notes) <= 13


def test_the_catalogue_grows_with_each_page(context: Any) -> None:
    mishaps.build_catalogue(context, page_mib=0.5)

    assert context.notes == ["1 pages, 0.5 MiB", "2 pages, 1 MiB", "3 pages, 1.5 MiB"]


def test_the_printer_jams_after_its_last_label(context: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class StillWaitingError(Exception):
        pass

    def wait() -> None:
        raise StillWaitingError

    monkeypatch.setattr(mishaps, "_wait_for_printer", wait)

    with pytest.raises(StillWaitingError):
        mishaps.print_labels(context, jams_after=2)

    assert context.notes == ["printing label 0", "printing label 1", "printing label 2"]


def interrupt(_seconds: float) -> None:
    raise KeyboardInterrupt


@pytest.mark.django_db
def test_the_command_deletes_old_carts_until_it_is_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", interrupt)
    Cart.objects.create(touched=timezone.now() - timedelta(minutes=5))
    kept = Cart.objects.create()
    output = StringIO()

    call_command("expire_carts", every=1, stdout=output)

    assert list(Cart.objects.all()) == [kept]
    assert output.getvalue() == "deleted 1 abandoned carts\nasked to stop\n"


@pytest.mark.usefixtures("shop")
def test_the_stock_is_counted_place_by_place(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr("shop.stocktaking.time.sleep", interrupt)

    with caplog.at_level("INFO", "shop.stocktaking"), pytest.raises(KeyboardInterrupt):
        count_stock()

    assert caplog.messages[0] == "customers holds 0"

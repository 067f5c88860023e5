"""The shop's own tests of its jobs: each runs as in its child, for a few turns, in the test's transaction."""

from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from datetime import UTC, datetime, timedelta
from io import StringIO
from unittest import mock

from django.core.management import call_command
from django.test import TestCase
from django.utils import timezone

from workerd.testing import StopIgnoredError, check_rows, due_times, run_job

from . import jobs, mishaps
from .models import Account, Article, Cart, Entry, Order, Violation
from .opening import open_shop


@contextmanager
def interrupted_sleep() -> Iterator[None]:
    """Press Ctrl-C in the first sleep of code that has no context."""
    with mock.patch("time.sleep", side_effect=KeyboardInterrupt):
        yield


class ShopTests(TestCase):
    @classmethod
    def setUpTestData(cls) -> None:
        open_shop()

    def test_stock_is_transferred_once_a_turn(self) -> None:
        result = run_job(jobs.transfer_stock, turns=3)

        self.assertEqual(Entry.objects.count(), 2 * len(result.notes))
        self.assertEqual(result.waits, [0, 1, 1, 1])

    def test_what_is_ordered_is_shipped_and_the_books_balance(self) -> None:
        run_job(jobs.place_orders, turns=3)
        shipped = run_job(jobs.ship_orders)
        audited = run_job(jobs.audit_books)

        self.assertEqual(Order.objects.filter(shipped__isnull=False).count(), 3)
        self.assertIn({"event": "orders.shipped", "log_level": "info", "count": 3}, shipped.logs)
        self.assertEqual(audited.notes[-1], f"books balance up to entry {Entry.objects.latest('pk').pk}")

    def test_another_warehouse_ships_nothing(self) -> None:
        run_job(jobs.place_orders, warehouse="north")

        self.assertEqual(run_job(jobs.ship_orders, warehouse="main").notes, [])

    def test_the_audit_fails_where_the_books_do_not_balance(self) -> None:
        Account.objects.filter(name="main").update(balance=1)
        Violation.objects.create(text="asked for order 1 and read order 2", pid=1)

        with self.assertRaisesRegex(
            jobs.BooksDoNotBalanceError, r"(?s)all balances together are 1.*violation seen by process 1"
        ):
            run_job(jobs.audit_books)

    def test_prices_move_by_a_cent(self) -> None:
        before = dict(Article.objects.values_list("name", "price"))

        run_job(jobs.price_feed)

        moved = {name: abs(price - before[name]) for name, price in Article.objects.values_list("name", "price")}
        self.assertEqual({f"{cents:.2f}" for cents in moved.values()}, {"0.01"})

    def test_the_stock_is_counted_place_by_place(self) -> None:
        with interrupted_sleep(), self.assertLogs("shop.stocktaking", "INFO") as logs:
            run_job("shop.stocktaking.count_stock", raises=False)

        self.assertEqual(logs.records[0].getMessage(), "customers holds 0")

    def test_the_rows_of_the_demo_can_run(self) -> None:
        call_command("demo", verbosity=0)

        check_rows()


class CartTests(TestCase):
    def test_old_carts_are_deleted_until_the_command_is_interrupted(self) -> None:
        Cart.objects.create(touched=timezone.now() - timedelta(minutes=5))
        kept = Cart.objects.create()

        with interrupted_sleep(), redirect_stdout(StringIO()) as output:
            run_job(command="expire_carts --every 1")

        self.assertEqual(list(Cart.objects.all()), [kept])
        self.assertEqual(output.getvalue(), "deleted 1 abandoned carts\nasked to stop\n")


class MishapTests(TestCase):
    def test_the_courier_is_out_after_a_while(self) -> None:
        result = run_job(mishaps.call_courier, turns=100, fails_after=10, raises=False)

        self.assertIsInstance(result.exception, mishaps.CourierUnavailableError)
        self.assertIn(len(result.notes), range(9, 14))

    def test_the_catalogue_grows_with_each_page(self) -> None:
        result = run_job(mishaps.build_catalogue, turns=3, page_mib=0.5)

        self.assertEqual(result.notes, ["1 pages, 0.5 MiB", "2 pages, 1 MiB", "3 pages, 1.5 MiB"])

    def test_the_printer_jams_after_its_last_label(self) -> None:
        with self.assertRaises(StopIgnoredError):
            run_job(mishaps.print_labels, turns=10, jams_after=2, stop_after=0.1)


class TimeTests(TestCase):
    def test_the_books_are_audited_at_night(self) -> None:
        first, *_ = due_times("30 2 * * *", "Europe/Berlin", after=datetime(2026, 6, 1, tzinfo=UTC))

        self.assertEqual(first, datetime(2026, 6, 1, 0, 30, tzinfo=UTC))

"""The shop's jobs. workerd finds this module by its name ``jobs``, as Django's admin finds ``admin``."""

import random
from decimal import Decimal

from django.db.models import F

from workerd import JobContext, job

from . import mishaps  # noqa: F401 - this import is enough to register the jobs of that module
from .books import recording_violations, verify_books
from .models import Article, Cart, Entry, Order
from .movements import PLACES, move


class BooksDoNotBalanceError(Exception):
    """The audit found a fault in the books."""

    def __init__(self, violations: list[str]) -> None:
        super().__init__("\n".join(violations))


@job
def transfer_stock(context: JobContext, pause: float = 1.0) -> None:
    """Move goods between suppliers and warehouses; any number of processes may do so at a time."""
    for _ in context.every(pause):
        source, target = random.sample(PLACES, 2)
        quantity = random.randint(1, 20)
        with recording_violations():
            movement = move(quantity, source, target)
        context.beat(f"moved {quantity} from {source} to {target}")
        context.log.debug("stock.moved", movement=str(movement), quantity=quantity, source=source, target=target)


@job
def place_orders(context: JobContext, warehouse: str = "main", pause: float = 2.0) -> None:
    """Play the customers: place an order at each turn, and leave a cart behind."""
    articles = list(Article.objects.all())
    for _ in context.every(pause):
        Cart.objects.create()
        article, quantity = random.choice(articles), random.randint(1, 5)
        order = Order.objects.create(article=article, quantity=quantity, warehouse=warehouse)
        context.beat(f"placed {order}")


@job
def ship_orders(context: JobContext, warehouse: str = "main", pause: float = 5.0) -> None:
    """Ship what was ordered; any number of processes may do so at a time, and no order is shipped twice."""
    for _ in context.every(pause):
        shipped = 0
        for order in context.each(Order.objects.ready(warehouse)):
            with recording_violations():
                if order.ship():
                    shipped += 1
                    context.beat(f"shipped {order}")
        if shipped:
            context.log.info("orders.shipped", count=shipped)


@job
def audit_books(context: JobContext, pause: float = 10.0) -> None:
    """Check that the books balance, and fail if they do not."""
    seen = 0
    for _ in context.every(pause):
        newest = Entry.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
        if violations := verify_books(sealed_after=seen):
            raise BooksDoNotBalanceError(violations)
        seen = newest
        context.beat(f"books balance up to entry {newest}")
        context.log.info("books.audited", entries=newest)


@job
async def price_feed(context: JobContext, pause: float = 2.0) -> None:
    """Change the price of each article by a cent, up or down."""
    async for _ in context.aevery(pause):
        async for article in context.aeach(Article.objects.order_by("pk")):
            cent = random.choice((Decimal("0.01"), Decimal("-0.01")))
            await Article.objects.filter(pk=article.pk).aupdate(price=F("price") + cent)
            context.beat(f"priced {article}")


@job
def mind_the_shop(context: JobContext) -> None:
    """Do nothing until asked to stop; shows what a process costs by itself."""
    context.wait()

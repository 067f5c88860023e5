"""The rows that the shop needs before its jobs can work."""

from decimal import Decimal

from .models import Account, Article, Setting
from .movements import CUSTOMERS, PLACES

PRICES = {"lamp": "39.00", "kettle": "24.50", "chair": "89.90", "clock": "17.00"}


def open_shop() -> None:
    """Create the accounts, articles and settings row that are missing; change nothing that exists."""
    Account.open(*PLACES, CUSTOMERS)
    Setting.objects.get_or_create(name="title", defaults={"value": "The corner shop"})
    for name, price in PRICES.items():
        Article.objects.get_or_create(name=name, defaults={"price": Decimal(price)})

"""The shop's rows."""

from .account import Account
from .article import Article
from .cart import Cart
from .entry import Entry
from .order import Order
from .setting import Setting
from .violation import Violation

__all__ = ["Account", "Article", "Cart", "Entry", "Order", "Setting", "Violation"]

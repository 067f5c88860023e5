"""The shop in the admin: to look at, mostly."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin

from .models import Account, Article, Cart, Entry, Order, Setting, Violation

if TYPE_CHECKING:  # a generic class for the type checker alone
    ShopAdmin = admin.ModelAdmin[Any]
else:
    ShopAdmin = admin.ModelAdmin


@admin.register(Setting)
class SettingAdmin(ShopAdmin):
    """The one row that ``ShopConfig.ready`` reads is among these."""

    list_display = ["name", "value"]


@admin.register(Article)
class ArticleAdmin(ShopAdmin):
    """Prices move by the job ``price-feed``."""

    list_display = ["name", "price", "priced"]


@admin.register(Order)
class OrderAdmin(ShopAdmin):
    """Orders are shipped by the job ``ship-orders``."""

    list_display = ["__str__", "article", "quantity", "warehouse", "placed", "shipped"]
    list_filter = ["warehouse", "article"]
    date_hierarchy = "placed"


@admin.register(Account, Cart, Entry, Violation)
class BooksAdmin(ShopAdmin):
    """The books are written by jobs alone."""

    def has_add_permission(self, *_: object) -> bool:
        """Nobody adds to them."""
        return False

    def has_change_permission(self, *_: object) -> bool:
        """Nobody changes them."""
        return False

    def has_delete_permission(self, *_: object) -> bool:
        """Nobody takes from them."""
        return False

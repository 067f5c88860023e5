"""The shop in the admin, mostly to look at."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin

from .models import Account, Article, Cart, Entry, Order, Setting, Violation

if TYPE_CHECKING:  # a generic class for the type checker alone
    ShopAdmin = admin.ModelAdmin[Any]
else:
    ShopAdmin = admin.ModelAdmin


@admin.register(Setting)
class SettingAdmin(ShopAdmin):
    """One of these rows is read by ``ShopConfig.ready``."""

    list_display = ["name", "value"]


@admin.register(Article)
class ArticleAdmin(ShopAdmin):
    """The job ``price-feed`` changes the prices."""

    list_display = ["name", "price", "priced"]


@admin.register(Order)
class OrderAdmin(ShopAdmin):
    """The job ``ship-orders`` ships the orders."""

    list_display = ["__str__", "article", "quantity", "warehouse", "placed", "shipped"]
    list_filter = ["warehouse", "article"]
    date_hierarchy = "placed"


@admin.register(Account, Cart, Entry, Violation)
class BooksAdmin(ShopAdmin):
    """Only jobs write the books."""

    def has_add_permission(self, *_: object) -> bool:
        return False

    def has_change_permission(self, *_: object) -> bool:
        return False

    def has_delete_permission(self, *_: object) -> bool:
        return False

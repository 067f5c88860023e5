"""What every admin of workerd has in common: its database, its read-only history, its pages of many rows.

Its rows live in ``WORKERD["DATABASE"]``, whatever the router says.
"""

from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from django.contrib import admin
from django.core.paginator import Paginator
from django.db import models
from django.http import HttpRequest

from workerd.conf import get_settings

Row = TypeVar("Row", bound=models.Model)

MOST_COUNTED = 10_000

if TYPE_CHECKING:
    AnyModelAdmin = admin.ModelAdmin
    AnyPaginator = Paginator[Any]
else:
    AnyPaginator = Paginator

    class AnyModelAdmin(admin.ModelAdmin):
        """Generic for the type checker; Django's own class is so with a monkey patch only."""

        def __class_getitem__(cls, _item: Any) -> Any:
            return cls


class WorkerdAdmin(AnyModelAdmin[Row]):
    """Reads and writes one alias."""

    @property
    def alias(self) -> str:
        """The database that the daemon uses."""
        return get_settings().database

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Row]:
        """Return the rows of that database."""
        return super().get_queryset(request).using(self.alias)

    def save_model(self, request: HttpRequest, obj: Row, form: Any, change: bool) -> None:
        """Save there."""
        obj.save(using=self.alias)

    def delete_model(self, request: HttpRequest, obj: Row) -> None:
        """Delete there."""
        obj.delete(using=self.alias)


def _never(*_args: Any, **_kwargs: Any) -> bool:
    return False


class ReadOnlyAdmin(WorkerdAdmin[Row]):
    """No row is added, changed or deleted here; the view permission decides who reads."""

    actions = None
    show_full_result_count = False
    has_add_permission = _never
    has_change_permission = _never
    has_delete_permission = _never
    change_list_template = "admin/workerd/list.html"

    class Media:
        css = {"all": ("workerd/workerd.css",)}


class CappedPaginator(AnyPaginator):
    """Counts up to ``MOST_COUNTED`` rows; what lies beyond is reached by filters and search."""

    @cached_property
    def count(self) -> int:
        """Return the number of rows, at most ``MOST_COUNTED``."""
        rows: Any = self.object_list
        return int(rows.order_by()[:MOST_COUNTED].count())

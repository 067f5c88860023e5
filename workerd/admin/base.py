"""The parts that all admins of workerd share: their database, read-only pages, and counting with a limit."""

from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from django.contrib import admin
from django.core.paginator import Paginator
from django.db import models
from django.http import Http404, HttpRequest

from workerd.conf import get_settings

Row = TypeVar("Row", bound=models.Model)

MOST_COUNTED = 10_000

if TYPE_CHECKING:
    AnyModelAdmin = admin.ModelAdmin
    AnyPaginator = Paginator[Any]
else:
    AnyPaginator = Paginator

    class AnyModelAdmin(admin.ModelAdmin):
        """Generic for the type checker; Django's own class takes a type only after a monkey patch."""

        def __class_getitem__(cls, _item: Any) -> Any:
            return cls


_LOOKUPS = ("exact", "id__exact", "in", "isnull", "gt", "gte", "lt", "lte")
"""The lookups that the links of Django's own filters use."""


class WorkerdAdmin(AnyModelAdmin[Row]):
    """Reads and writes the database ``WORKERD["DATABASE"]``, whatever the router says: the daemon uses no other."""

    linked_lookups: tuple[str, ...] = ()
    """The lookups that links of workerd's pages use on this list, beside those of its filters."""

    @property
    def alias(self) -> str:
        return get_settings().database

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Row]:
        return super().get_queryset(request).using(self.alias)

    def save_model(self, request: HttpRequest, obj: Row, form: Any, change: bool) -> None:
        obj.save(using=self.alias)

    def delete_model(self, request: HttpRequest, obj: Row) -> None:
        obj.delete(using=self.alias)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """Refuse what no filter and no link offers: its answers would tell letter by letter what no page shows."""
        offered = {*self.linked_lookups}
        for entry in self.list_filter:
            if isinstance(entry, str):
                offered |= {entry, *(f"{entry}__{word}" for word in _LOOKUPS)}
            elif isinstance(entry, type) and issubclass(entry, admin.SimpleListFilter):
                offered.add(str(entry.parameter_name))
        if lookup not in offered:
            return False
        return super().lookup_allowed(lookup, value, request)  # type: ignore[arg-type]  # None until Django 6

    def get_row_or_404(self, request: HttpRequest, pk: int) -> Row:
        row = self.get_queryset(request).filter(pk=pk).first()
        if row is None:
            raise Http404
        return row


def _never(*_args: Any, **_kwargs: Any) -> bool:
    return False


class ReadOnlyAdmin(WorkerdAdmin[Row]):
    """Offers no way to add, change or delete a row; Django's view permission decides who reads."""

    actions = None
    show_full_result_count = False
    has_add_permission = _never
    has_change_permission = _never
    has_delete_permission = _never
    change_list_template = "admin/workerd/list.html"

    class Media:
        css = {"all": ("workerd/workerd.css",)}


class CappedPaginator(AnyPaginator):
    """Counts and pages the first ``MOST_COUNTED`` rows; filters and the search find the others."""

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return int(rows.order_by()[:MOST_COUNTED].count())

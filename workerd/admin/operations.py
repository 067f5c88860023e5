"""Operations: who asked for what, when, and the result. Orders of the admin and of the command are both here."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy as _

from workerd.models import Operation
from workerd.models.clock import DatabaseNow

from .base import CappedPaginator, ReadOnlyAdmin
from .orders_shown import order_badge, result_for, scope_of


@admin.register(Operation)
class OperationAdmin(ReadOnlyAdmin[Operation]):
    """The audit trail, newest first. What a job has written is in a result only for a user who may view output."""

    list_display = ("requested", "verb", "scope", "node", "requested_by", "progress", "taken", "shown_result")
    list_filter = ("verb", "requested")
    list_select_related = ("node",)
    paginator = CappedPaginator
    sortable_by = ("requested",)
    search_fields = ("job_name", "slot", "requested_by")
    fields = ("verb", "job_name", "slot", "node", "requested_by", "requested", "expires", "taken", "shown_result")
    readonly_fields = ("shown_result",)

    @admin.display(description=_("for"))
    def scope(self, order: Operation) -> str:
        return scope_of(order)

    @admin.display(description=_("status"))
    def progress(self, order: Any) -> SafeString:
        return order_badge(order, order.read_at)

    @admin.display(description=_("result"))
    def shown_result(self, order: Any) -> str:
        """Return the result as far as this user may read it; in the list, the beginning of its first line."""
        if order.is_listed:
            return Truncator(order.readable_result.partition("\n")[0]).chars(120)
        if not order.readable_result:
            return ""
        return format_html('<pre class="workerd-result">{}</pre>', order.readable_result)

    # A column's method is not told who asks for the page, so each row carries what its reader may see.

    def get_queryset(self, request: HttpRequest) -> QuerySet[Operation]:
        """Return the orders with the database's time, by whose clock they expire."""
        return super().get_queryset(request).annotate(read_at=DatabaseNow())

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        changes: Any = super().get_changelist_instance(request)
        changes.result_list = list(changes.result_list)
        for order in changes.result_list:
            order.readable_result, order.is_listed = result_for(request, order), True
        return changes

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Operation | None:
        order: Any = super().get_object(request, object_id, from_field)
        if order is not None:
            order.readable_result, order.is_listed = result_for(request, order), False
        return order  # type: ignore[no-any-return]  # with two attributes for shown_result

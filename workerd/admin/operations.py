"""Operations: who asked for what, when, and what came of it."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy as _

from workerd.models import Operation

from . import permissions
from .base import CappedPaginator, ReadOnlyAdmin
from .orders import order_badge, result_of, what_for


@admin.register(Operation)
class OperationAdmin(ReadOnlyAdmin[Operation]):
    """The audit trail, newest first. What a dump came to is output, and for those who may view that."""

    list_display = ("requested", "verb", "what_for", "requested_by", "stands", "taken", "came_of_it")
    list_filter = ("verb", "requested")
    paginator = CappedPaginator
    sortable_by = ("requested",)
    search_fields = ("job_name", "slot", "requested_by")
    fields = ("verb", "job_name", "slot", "requested_by", "requested", "expires", "taken", "came_of_it")
    readonly_fields = ("came_of_it",)

    @admin.display(description=_("for"))
    def what_for(self, order: Operation) -> str:
        """Return the slot, the job, or every job."""
        return what_for(order)

    @admin.display(description=_("stands"))
    def stands(self, order: Operation) -> SafeString:
        """Return whether a daemon has taken it."""
        return order_badge(order)

    @admin.display(description=_("result"))
    def came_of_it(self, order: Any) -> SafeString | str:
        """Return the result, as far as the reader may see it; its beginning in the list."""
        shown = getattr(order, "shown_result", order.result)
        if getattr(order, "is_listed", False):
            return Truncator(shown.partition("\n")[0]).chars(120)
        return format_html('<pre class="workerd-result">{}</pre>', shown) if shown else ""

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """Refuse to filter by results one may not read."""
        if lookup.partition("__")[0] == "result" and (request is None or not permissions.may_view_output(request)):
            return False
        return super().lookup_allowed(lookup, value, request)  # type: ignore[arg-type]  # None until Django 6

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Tell the rows of the list what their reader may see."""
        found: Any = super().get_changelist_instance(request)
        found.result_list = list(found.result_list)
        for order in found.result_list:
            order.shown_result, order.is_listed = result_of(order, request), True
        return found

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Operation | None:
        """As for the list."""
        order: Any = super().get_object(request, object_id, from_field)
        if order is not None:
            order.shown_result = result_of(order, request)
        return order  # type: ignore[no-any-return]  # with an attribute for came_of_it

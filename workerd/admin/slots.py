"""Slots, as their daemons last reported them."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from workerd.models import Slot

from . import permissions
from .badges import badge, state_badge
from .base import ReadOnlyAdmin
from .resting import is_resting
from .words import reason_of


@admin.register(Slot)
class SlotAdmin(ReadOnlyAdmin[Slot]):
    """Shows what runs in each slot, or why nothing does."""

    list_display = ("name", "state_badge", "since", "pid", "restarts", "last_beat", "note", "shown_reason", "node")
    list_filter = ("state", "node")
    list_select_related = ("node", "job")
    search_fields = ("name", "job_name")
    readonly_fields = ("shown_reason",)
    fieldsets = (
        (None, {"fields": ("name", "job_name", "index", "node", "state", "shown_reason", "since")}),
        (_("Process"), {"fields": ("pid", "run", "generation", "memory", "last_beat", "longest_silence", "note")}),
        (_("Restarts"), {"fields": ("restarts", "next_start")}),
    )

    @admin.display(description=_("reason"))
    def shown_reason(self, slot: Any) -> str:
        """Return the reason as far as this user may read it."""
        return str(slot.readable_reason)

    # A column's method is not told who asks for the page, so each row carries what its reader may see.

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        changes: Any = super().get_changelist_instance(request)
        changes.result_list = list(changes.result_list)
        for slot in changes.result_list:
            slot.readable_reason = reason_of(slot, may_view_output=permissions.may_view_output(request))
        return changes

    def get_queryset(self, request: HttpRequest) -> QuerySet[Slot]:
        return super().get_queryset(request).defer("samples")

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Slot | None:
        slot: Any = super().get_object(request, object_id, from_field)
        if slot is not None:
            slot.readable_reason = reason_of(slot, may_view_output=permissions.may_view_output(request))
        return slot  # type: ignore[no-any-return]  # with an attribute for shown_reason

    @admin.display(description=_("state"), ordering="state")
    def state_badge(self, slot: Slot) -> SafeString:
        return badge("due", _("waits")) if is_resting(slot, slot.job) else state_badge(slot.state)

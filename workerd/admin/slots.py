"""Slots, as their daemons last reported them."""

from django.contrib import admin
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from workerd.models import Slot

from .badges import state_badge
from .base import ReadOnlyAdmin


@admin.register(Slot)
class SlotAdmin(ReadOnlyAdmin[Slot]):
    """Shows what runs in each slot, or why nothing does."""

    list_display = ("name", "state_badge", "since", "pid", "restarts", "last_beat", "note", "reason", "node")
    list_filter = ("state", "node")
    list_select_related = ("node",)
    search_fields = ("name", "job_name", "reason")
    fieldsets = (
        (None, {"fields": ("name", "job_name", "index", "node", "state", "reason", "since")}),
        (_("Process"), {"fields": ("pid", "run", "generation", "memory", "last_beat", "longest_silence", "note")}),
        (_("Restarts"), {"fields": ("restarts", "next_start")}),
    )

    @admin.display(description=_("state"), ordering="state")
    def state_badge(self, slot: Slot) -> SafeString:
        return state_badge(slot.state)

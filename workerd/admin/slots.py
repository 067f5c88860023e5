"""Slots, as their daemons last told them."""

from django.contrib import admin
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from workerd.models import Slot

from .badges import state_badge
from .base import ReadOnlyAdmin


@admin.register(Slot)
class SlotAdmin(ReadOnlyAdmin[Slot]):
    """What runs now, and what does not, and why."""

    list_display = ("name", "stands", "since", "pid", "restarts", "last_beat", "note", "reason", "node")
    list_filter = ("state", "node")
    list_select_related = ("node",)
    search_fields = ("name", "job_name", "reason")
    fieldsets = (
        (None, {"fields": ("name", "job_name", "index", "node", "state", "reason", "since")}),
        (_("Process"), {"fields": ("pid", "run", "generation", "memory", "last_beat", "note")}),
        (_("Restarts"), {"fields": ("restarts", "next_start")}),
    )

    @admin.display(description=_("state"), ordering="state")
    def stands(self, slot: Slot) -> SafeString:
        """Return the state's badge."""
        return state_badge(slot.state)

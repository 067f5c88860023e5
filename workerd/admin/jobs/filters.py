"""The filter of the jobs list by the states that the daemons report."""

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from workerd.admin.snapshot import WAITING_STATES
from workerd.models import Job, Slot
from workerd.models.slot import STATE_CHOICES


class StateFilter(admin.SimpleListFilter):
    """Keeps the jobs with a slot in one state, or the jobs that somebody should look at."""

    title = _("state")
    parameter_name = "state"
    template = "admin/filter.html"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("look", _("needs a look")), *STATE_CHOICES]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        value = self.value()
        if not value:
            return queryset
        slots = Slot.objects.using(queryset.db)
        if value == "look":
            waiting = slots.filter(state__in=[state.value for state in WAITING_STATES]).values("job_id")
            return queryset.filter(Q(pk__in=waiting) | ~Q(problem=""))
        return queryset.filter(pk__in=slots.filter(state=value).values("job_id"))

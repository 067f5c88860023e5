"""The filter of the jobs list by the states that the daemons report."""

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from workerd.admin.last_ends import jobs_that_ended_badly
from workerd.admin.resting import RESTING
from workerd.admin.snapshot import WAITING_STATES
from workerd.fleet.holders import jobs_without_holder
from workerd.models import Job, Slot
from workerd.models.slot import STATE_CHOICES
from workerd.wire.words import State

REST = "rest"


class StateFilter(admin.SimpleListFilter):
    """Keeps the jobs with a slot in one state, or the jobs that somebody should look at."""

    title = _("state")
    parameter_name = "state"
    template = "admin/filter.html"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("look", _("needs a look")), (REST, _("waiting for its time")), *STATE_CHOICES]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        value = self.value()
        if not value:
            return queryset
        slots = Slot.objects.using(queryset.db)
        if value == "look":
            waiting = slots.filter(~RESTING, state__in=[state.value for state in WAITING_STATES]).values("job_id")
            badly, vacant = jobs_that_ended_badly(queryset.db), jobs_without_holder(queryset.db)
            return queryset.filter(Q(pk__in=waiting) | Q(pk__in=badly) | Q(pk__in=vacant) | ~Q(problem=""))
        if value == REST:
            return queryset.filter(pk__in=slots.filter(RESTING).values("job_id"))
        awake = slots.exclude(RESTING) if value == State.WAITING else slots
        return queryset.filter(pk__in=awake.filter(state=value).values("job_id"))

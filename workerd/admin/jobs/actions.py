"""What is posted beside the form: orders from the job's page, and the switch of the list."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBadRequest, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.urls import reverse

from workerd.admin import permissions
from workerd.admin.base import WorkerdAdmin
from workerd.admin.orders import VERBS, give
from workerd.models import Job, Slot

from .switch import turn


class JobActionsAdmin(WorkerdAdmin[Job]):
    """Both views write by POST alone."""

    def orders_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Take an order for the job, or for one slot of it."""
        if not (self.has_view_or_change_permission(request) and permissions.may_operate(request)):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        job = self._job(request, pk)
        verb, _colon, slot = request.POST.get("order", "").partition(" ")
        if verb not in VERBS or (slot and not Slot.objects.using(self.alias).filter(job_id=pk, name=slot).exists()):
            return HttpResponseBadRequest()
        give(request, verb, [job], self.alias, slot)
        return redirect(reverse(f"{self.admin_site.name}:workerd_job_page", args=[pk]))

    def switch_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Turn the job on or off."""
        job = self.get_queryset(request).filter(pk=pk).first()
        if not self.has_change_permission(request, job):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        job = self._job(request, pk)
        wanted = request.POST.get("enabled")
        if wanted not in ("0", "1"):
            return HttpResponseBadRequest()
        if turn(request, job, self.alias, on=wanted == "1"):
            self.log_change(request, job, [{"changed": {"fields": ["Enabled"]}}])
        url = reverse(f"{self.admin_site.name}:workerd_job_changelist")
        back: Any = request.POST.get("back", "")
        return redirect(f"{url}?{back}" if back else url)

    def _job(self, request: HttpRequest, pk: int) -> Job:
        job = self.get_queryset(request).filter(pk=pk).first()
        if job is None:
            raise Http404
        return job
